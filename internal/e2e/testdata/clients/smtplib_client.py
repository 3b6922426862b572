# Sends a message with smtplib: HOST PORT WAY MECHANISM SECRET CA < MESSAGE
import smtplib, ssl, sys

host, port, way, mechanism, secret, ca = sys.argv[1:]
user = "li@sohu.com"

if way == "TLS":
    s = smtplib.SMTP_SSL(host, int(port), context=ssl.create_default_context(cafile=ca), local_hostname="client.example")
else:
    s = smtplib.SMTP(host, int(port), local_hostname="client.example")
if way == "STARTTLS":
    s.starttls(context=ssl.create_default_context(cafile=ca))
s.ehlo()
s.user, s.password = user, secret
how = {
    "PLAIN": s.auth_plain,
    "LOGIN": s.auth_login,
    "CRAM-MD5": s.auth_cram_md5,
    # smtplib has the frame for these, and leaves the words to whoever uses it.
    "XOAUTH2": lambda challenge=None: "" if challenge else f"user={user}\1auth=Bearer {secret}\1\1",
    "OAUTHBEARER": lambda challenge=None: "\1" if challenge else f"n,a={user},\1auth=Bearer {secret}\1\1",
}
if mechanism != "none":
    s.auth(mechanism, how[mechanism])
s.sendmail(user, ["wang@sohu.com"], sys.stdin.read())
s.quit()
