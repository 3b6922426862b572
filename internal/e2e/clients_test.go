package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// client is somebody else's program, and how it is told to send a message, which it reads
// from its standard input.
type client struct {
	name       string
	needs      []string // programs
	mechanisms []string // that it has
	args       func(c *call) []string
	env        []string
	onlyLogsIn bool // it sends nothing, and knows STARTTLS only
}

// call is one message.
type call struct {
	way, mechanism   string // "none", "STARTTLS" or "TLS"; "none" or a mechanism
	host, port       string
	secret           string // password or token
	file             string // where it is
	ca               string
	ownCert, ownKey  string // of li@sohu.com
	user             string
	subject, message string
}

func (c *call) addr() string { return net.JoinHostPort(c.host, c.port) }

// tokens are the mechanisms by which a token is shown.
var tokens = []string{"OAUTHBEARER", "XOAUTH2"}

// clients are in the order of the page docs/clients.md.
var clients = []client{
	{name: "curl", needs: []string{"curl"}, args: curl, mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5", "OAUTHBEARER", "EXTERNAL"}},
	{name: "GNU SASL", needs: []string{"gsasl"}, args: gsasl, onlyLogsIn: true, mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}},
	{name: "msmtp", needs: []string{"msmtp"}, args: msmtp, mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "EXTERNAL"}},
	{name: "Nodemailer", needs: []string{"node"}, args: script("node", "nodemailer_client.js"), mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"}},
	{name: "Python smtplib", needs: []string{"python3"}, args: script("python3", "smtplib_client.py"), mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5", "OAUTHBEARER", "XOAUTH2"}},
	{name: "s-nail", needs: []string{"s-nail"}, args: snail, env: []string{"MAILRC=/dev/null"}, mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "EXTERNAL"}},
	{name: "swaks", needs: []string{"swaks"}, args: swaks, mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5"}},
}

func curl(c *call) []string {
	scheme := "smtp://"
	if c.way == "TLS" {
		scheme = "smtps://"
	}
	args := []string{"curl", "-sS", "--mail-from", c.user, "--mail-rcpt", "wang@sohu.com", "--upload-file", "-", scheme + c.addr()}
	if c.way != "none" {
		args = append(args, "--ssl-reqd", "--cacert", c.ca)
	}
	switch {
	case c.mechanism == "none":
		return args
	case c.mechanism == "EXTERNAL":
		args = append(args, "--cert", c.ownCert, "--key", c.ownKey, "--user", c.user+":")
	case slices.Contains(tokens, c.mechanism):
		args = append(args, "--oauth2-bearer", c.secret, "--user", c.user)
	default:
		args = append(args, "--user", c.user+":"+c.secret)
	}
	return append(args, "--login-options", "AUTH="+c.mechanism)
}

// gsasl speaks STARTTLS by itself, and knows no TLS from the beginning.
func gsasl(c *call) []string {
	args := []string{
		"gsasl", "--smtp", "--connect", c.addr(), "--mechanism", c.mechanism, "--authentication-id", c.user,
		"--password", c.secret, "--x509-ca-file", c.ca,
	}
	if !strings.HasSuffix(c.mechanism, "-PLUS") {
		args = append(args, "--no-cb") // else it says that it could bind, and that we cannot (RFC 5802, 6)
	}
	return args
}

func msmtp(c *call) []string {
	onOff := map[bool]string{true: "on", false: "off"}
	args := []string{
		"msmtp", "--file=/dev/null", "--host=" + c.host, "--port=" + c.port, "--from=" + c.user,
		"--tls=" + onOff[c.way != "none"], "--tls-starttls=" + onOff[c.way == "STARTTLS"],
	}
	if c.way != "none" {
		args = append(args, "--tls-trust-file="+c.ca)
	}
	switch c.mechanism {
	case "none":
	case "EXTERNAL":
		args = append(args, "--auth=external", "--user="+c.user, "--tls-cert-file="+c.ownCert, "--tls-key-file="+c.ownKey)
	default:
		args = append(args, "--auth="+strings.ToLower(c.mechanism), "--user="+c.user, "--passwordeval=cat "+c.file)
	}
	return append(args, "--", "wang@sohu.com")
}

func snail(c *call) []string {
	scheme := map[string]string{"none": "smtp", "STARTTLS": "smtp", "TLS": "smtps"}[c.way]
	auth := strings.ToLower(c.mechanism)
	if auth == "xoauth2" {
		auth = "oauthbearer" // so it calls what is XOAUTH2 on the wire
	}
	set := []string{"v15-compat", "sendwait", "from=" + c.user, "hostname=client.example", "smtp-auth=" + auth, "mta=" + scheme + "://" + c.addr()}
	if c.way != "none" {
		set = append(set, "tls-verify=strict", "tls-ca-file="+c.ca, "tls-ca-no-defaults")
	}
	switch c.mechanism {
	case "none":
	case "EXTERNAL":
		set = append(set, "tls-config-pairs=Certificate="+c.ownCert+",PrivateKey="+c.ownKey)
		set = append(set, "user="+c.user)
	default:
		set = append(set, "user="+c.user, "password="+c.secret)
	}
	if c.way == "STARTTLS" {
		set = append(set, "smtp-use-starttls")
	}
	args := []string{"s-nail", "-:/", "-s", c.subject}
	for _, s := range set {
		args = append(args, "-S", s)
	}
	return append(args, "wang@sohu.com")
}

func swaks(c *call) []string {
	args := []string{"swaks", "--server", c.addr(), "--from", c.user, "--to", "wang@sohu.com", "--helo", "client.example", "--data", "-", "--hide-all"}
	if c.way != "none" {
		args = append(args, map[string]string{"STARTTLS": "-tls", "TLS": "-tlsc"}[c.way], "--tls-verify", "--tls-ca-path", c.ca)
	}
	if c.mechanism != "none" {
		args = append(args, "--auth", c.mechanism, "--auth-user", c.user, "--auth-password", c.secret)
	}
	return args
}

// script is a program of testdata/clients.
func script(interpreter, file string) func(*call) []string {
	return func(c *call) []string {
		return []string{interpreter, filepath.Join("testdata", "clients", file), c.host, c.port, c.way, c.mechanism, c.secret, c.ca}
	}
}

// everything is whether all is to be tested, however long it takes.
func everything() bool { return os.Getenv("POSTHOUSE_TEST_ALL") != "" }

// TestClientsOfOthers has other people's programs send mail: without TLS; and over STARTTLS and
// TLS by each mechanism that they have, with the right secret and with a wrong one. What comes
// of it is the table of docs/clients.md. Unless everything is tested it is one mechanism each.
func TestClientsOfOthers(t *testing.T) {
	w := newClientWorld(t)
	table := map[string]string{}
	for _, c := range clients {
		if !everything() {
			c.mechanisms = c.mechanisms[len(c.mechanisms)-1:]
		}
		t.Run(c.name, func(t *testing.T) {
			needs(t, c.needs...)
			if c.name == "Nodemailer" {
				needsNodemailer(t)
			}
			table[c.name] = w.row(t, &c)
		})
	}
	w.house.end(t)
	if log := w.house.log(); strings.Contains(log, "canary") {
		t.Error("a secret is in the log")
	}
	if everything() {
		holdTable(t, table)
	}
}

func needsNodemailer(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("testdata/clients/node_modules/nodemailer"); err != nil {
		skip(t, "Nodemailer is not installed (npm ci in internal/e2e/testdata/clients)")
	}
}

// clientWorld is a house, and what its users have to show.
type clientWorld struct {
	house                  *house
	ca, ownCert, ownKey    string
	password, token        string // files
	wrongPassword, expired string
}

func newClientWorld(t *testing.T) *clientWorld {
	t.Helper()
	authority := newAuthority(t)
	chain, key := authority.certify(t, "127.0.0.1")
	check(t, os.Chmod(key, 0o600))
	w := &clientWorld{ca: authority.file}
	w.ownCert, w.ownKey = authority.certifyPerson(t, "li@sohu.com")
	w.house = unpack(t, "clients", "CHAIN="+chain, "KEY="+key, "CA="+authority.file)
	in := func(name, text string) string {
		name = filepath.Join(w.house.dir, name)
		check(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	w.password, w.wrongPassword = in("password", "lion-canary"), in("wrong", "tiger-canary")
	signer := newKey(t)
	in("keys.json", publicKeys(t, signer))
	w.token, w.expired = in("token", token(t, signer, time.Hour)), in("expired", token(t, signer, -time.Hour))
	out, err := exec.Command("posthouse", "user", "add", "li@sohu.com", "--cram-md5", "--password-file", w.password, "--file", filepath.Join(w.house.dir, "users")).CombinedOutput()
	if err != nil {
		t.Fatalf("posthouse user add: %v\n%s", err, out)
	}
	w.house.run(t)
	return w
}

func publicKeys(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
	check(t, err)
	return string(text)
}

// token is one of li@sohu.com that is good for a while.
func token(t *testing.T, key *ecdsa.PrivateKey, good time.Duration) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
	check(t, err)
	text, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": "https://id.sohu.com", "aud": "posthouse", "email": "li@sohu.com", "exp": time.Now().Add(good).Unix(),
	}).Serialize()
	check(t, err)
	return text
}

// row plays all that a client can, and returns its row of the table.
func (w *clientWorld) row(t *testing.T, c *client) string {
	cells := []string{c.name, "–"}
	if !c.onlyLogsIn {
		w.delivers(t, c, "none", "none")
		cells[1] = "yes"
	}
	for _, mechanism := range mechanismColumns {
		cell := "–"
		if slices.Contains(c.mechanisms, mechanism) {
			cell = w.cell(t, c, mechanism)
		}
		cells = append(cells, cell)
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

var mechanismColumns = []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER", "XOAUTH2", "EXTERNAL"}

func (w *clientWorld) cell(t *testing.T, c *client, mechanism string) string {
	w.delivers(t, c, "STARTTLS", mechanism)
	if mechanism != "EXTERNAL" { // a certificate that nobody vouches for ends the handshake
		w.isRefused(t, c, mechanism)
	}
	if c.onlyLogsIn {
		return "STARTTLS"
	}
	w.delivers(t, c, "TLS", mechanism)
	return "both"
}

// delivers holds a client to a message that arrives.
func (w *clientWorld) delivers(t *testing.T, c *client, way, mechanism string) {
	t.Helper()
	x := w.call(t, c, way, mechanism, false)
	if out, err := run(c, x); err != nil {
		t.Errorf("%s: %v\n%s", x.subject, err, out)
		return
	}
	if c.onlyLogsIn {
		return
	}
	var mail string
	await(t, x.subject+" in the Maildir", func() bool {
		all := letters(t, w.house.box("wang@sohu.com"))
		i := slices.IndexFunc(all, func(l string) bool { return strings.Contains(l, "Subject: "+x.subject+"\n") })
		if i >= 0 {
			mail = all[i]
		}
		return i >= 0
	}, w.house.log)
	if secure := strings.Contains(mail, " with ESMTPSA\n"); secure != (way != "none") { // RFC 3848
		t.Errorf("%s came in another way:\n%s", x.subject, mail)
	}
}

// isRefused holds a client to being told that its secret is wrong, in the mechanism that it was
// to use.
func (w *clientWorld) isRefused(t *testing.T, c *client, mechanism string) {
	t.Helper()
	pattern := "msg=login-failed .*mechanism=" + mechanism + " "
	before := len(regexp.MustCompile(pattern).FindAllString(w.house.log(), -1))
	x := w.call(t, c, "STARTTLS", mechanism, true)
	if out, err := run(c, x); err == nil {
		t.Errorf("%s by a wrong secret: it says nothing of that: %s", x.subject, out)
	}
	w.house.await(t, pattern, before+1)
}

func (w *clientWorld) call(t *testing.T, c *client, way, mechanism string, wrong bool) *call {
	t.Helper()
	x := &call{
		way: way, mechanism: mechanism, ca: w.ca, ownCert: w.ownCert, ownKey: w.ownKey, user: "li@sohu.com",
		subject: fmt.Sprintf("%s, %s, %s", c.name, way, mechanism),
	}
	x.host, x.port, _ = net.SplitHostPort(w.house.at[map[string]string{"none": "smtp", "STARTTLS": "submission", "TLS": "submissions"}[way]])
	x.file = map[bool]string{false: w.password, true: w.wrongPassword}[wrong]
	if slices.Contains(tokens, mechanism) {
		x.file = map[bool]string{false: w.token, true: w.expired}[wrong]
	}
	secret, err := os.ReadFile(x.file)
	check(t, err)
	x.secret = string(secret)
	x.message = "From: li@sohu.com\nTo: wang@sohu.com\nSubject: " + x.subject + "\n\nHello.\n"
	if c.name == "curl" { // it changes nothing
		x.message = crlf(x.message)
	}
	return x
}

// run runs a client until it ends.
func run(c *client, x *call) (said string, err error) {
	args := c.args(x)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(x.message)
	if c.onlyLogsIn {
		cmd.Stdin = nil
	}
	cmd.Env = append(os.Environ(), c.env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if c.onlyLogsIn && strings.Contains(out.String(), "\n235 ") { // what it says of the end is its own affair
		err = nil
	}
	return out.String(), err
}

// certifyPerson makes files of a certificate for a person's address and of its key.
func (a *authority) certifyPerson(t *testing.T, address string) (chain, key string) {
	t.Helper()
	own := newKey(t)
	der := a.sign(t, &x509.Certificate{
		EmailAddresses: []string{address}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.cert, own)
	private, err := x509.MarshalPKCS8PrivateKey(own)
	check(t, err)
	dir := directory(t)
	chain, key = filepath.Join(dir, "person.pem"), filepath.Join(dir, "person.key")
	writePEM(t, chain, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", private)
	return chain, key
}

// holdTable holds the page for people to what was seen just now.
func holdTable(t *testing.T, rows map[string]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/clients.md")
	check(t, err)
	for name, row := range rows {
		if !strings.Contains(string(page), "\n"+row+"\n") {
			t.Errorf("docs/clients.md should say of %s:\n%s", name, row)
		}
	}
}
