// Sends a message with Nodemailer: HOST PORT WAY MECHANISM SECRET CA < MESSAGE
const fs = require("fs");
const nodemailer = require("nodemailer");

const [host, port, way, mechanism, secret, ca] = process.argv.slice(2);
const user = "li@sohu.com";

const options = { host, port, secure: way === "TLS", requireTLS: way === "STARTTLS", ignoreTLS: way === "none", tls: { ca: fs.readFileSync(ca) } };
if (mechanism === "XOAUTH2") {
	options.auth = { type: "OAuth2", user, accessToken: secret };
} else if (mechanism !== "none") {
	options.auth = { user, pass: secret };
	options.authMethod = mechanism;
}
const transport = nodemailer.createTransport(options);
transport.sendMail({ envelope: { from: user, to: ["wang@sohu.com"] }, raw: fs.readFileSync(0) }).catch((e) => {
	console.error(e.message);
	process.exitCode = 1;
});
