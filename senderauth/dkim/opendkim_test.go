package dkim_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
)

// awkward are messages in which the canonical forms differ most.
var awkward = map[string]string{
	"plain":    letter,
	"spaces":   "from:  \t a@example.org\r\nSUBJECT:\tone \t two  \r\nX: y\r\n\r\n a  b\t\tc \r\n\t\r\n  \r\nend \t\r\n",
	"folded":   "From:\r\n a@example.org\r\nSubject: a\r\n \tb\r\n  c\r\nTo: b@example.net\r\n\r\nx\r\n",
	"empty":    "From: a@example.org\r\nSubject:\r\n\r\n",
	"lines":    "From: a@example.org\r\n\r\n\r\n\r\n\r\n",
	"trailing": "From: a@example.org\r\n\r\nx\r\n\r\n\r\n\r\n",
	"twice":    "To: a@example.net\r\nTo: b@example.net\r\nFrom: a@example.org\r\nSubject: s\r\n\r\nx\r\n",
	"eight":    "From: =?utf-8?q?=C3=BC?= <a@example.org>\r\nSubject: gr\xc3\xbc\xc3\x9fe\r\n\r\n\xff\xfe \xc3\xbc\r\n",
	"long":     "From: a@example.org\r\nTo: " + strings.Repeat("b@example.net,\r\n ", 200) + "c@example.net\r\n\r\n" + strings.Repeat("A line of a body. \r\n", 5000),
}

// TestOpenDKIM has OpenDKIM (of Debian) verify what we sign, and sign what we verify, in all
// four forms of RSA. It is skipped where that is not installed, unless POSTHOUSE_TEST_ALL is set.
func TestOpenDKIM(t *testing.T) {
	program, err := exec.LookPath("opendkim")
	if err != nil {
		if program = "/usr/sbin/opendkim"; os.Getenv("POSTHOUSE_TEST_ALL") == "" {
			t.Skip("opendkim is not installed")
		}
	}
	o := &opendkim{program: program, dir: t.TempDir(), keys: newKeyring(t)}
	o.write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(o.keys.rsa)})))
	o.write(t, "keys", "rsa._domainkey.example.org "+o.keys.dns.txt["rsa._domainkey.example.org"][0]+"\n")
	for _, form := range []string{"relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"} {
		for name, msg := range awkward {
			if strings.HasPrefix(form, "simple/") && unusual.MatchString(msg) {
				continue // it reads files like a milter, and loses what stands behind a colon
			}
			t.Run(form+" "+name, func(t *testing.T) { o.both(t, form, msg) })
		}
	}
}

// unusual is a field that has something else than one space and a word behind its colon.
var unusual = regexp.MustCompile(`(?m)^[A-Za-z]+:([^ ]| \s)`)

type opendkim struct {
	program, dir string
	keys         *keyring
}

// both exchanges one message in both directions.
func (o *opendkim) both(t *testing.T, form, msg string) {
	key := o.keys.both()[0]
	header, body, _ := strings.Cut(form, "/")
	key.SimpleHeader, key.SimpleBody = header == "simple", body == "simple"
	ours := string(sign(t, msg, key))
	if said := o.verify(t, ours); !strings.Contains(said, "succeeded") {
		t.Errorf("opendkim of our signature: %s\n%.2000q", said, ours)
	}
	if said := o.verify(t, spoiled(ours)); !strings.Contains(said, "failed") {
		t.Errorf("opendkim of a message that was changed: %s", said)
	}
	theirs := o.sign(t, form, msg)
	if res := verify(t, o.keys.dns, []byte(theirs)); len(res) != 1 || res[0].Verdict != senderauth.Pass {
		t.Errorf("we of its signature: %+v\n%.2000q", res, theirs)
	}
	if res := verify(t, o.keys.dns, []byte(spoiled(theirs))); len(res) != 1 || res[0].Verdict != senderauth.Fail {
		t.Errorf("we of a message that was changed: %+v", res)
	}
}

// spoiled is a message with one word more.
func spoiled(msg string) string { return msg + "more\r\n" }

// verify returns what it says of a message.
func (o *opendkim) verify(t *testing.T, msg string) string {
	return o.test(t, "TestPublicKeys "+filepath.Join(o.dir, "keys")+"\nMode v\n", msg)
}

// sign returns the message with its signature on top.
func (o *opendkim) sign(t *testing.T, form, msg string) string {
	out := o.test(t, "Mode s\nDomain example.org\nSelector rsa\nRequireSafeKeys no\nKeyFile "+filepath.Join(o.dir, "key.pem")+"\nCanonicalization "+form+"\n", msg)
	_, field, _ := strings.Cut(out, "\n") // the name of the file
	field = strings.ReplaceAll(field, "\r", "")
	return strings.ReplaceAll(field, "\n", "\r\n") + msg
}

// test runs it over a message.
func (o *opendkim) test(t *testing.T, settings, msg string) string {
	o.write(t, "conf", settings+"Syslog no\nBackground no\n")
	o.write(t, "msg", msg)
	cmd := exec.Command(o.program, "-x", "conf", "-t", "msg")
	cmd.Dir = o.dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, said.String())
	}
	return string(out)
}

func (o *opendkim) write(t *testing.T, name, text string) {
	if err := os.WriteFile(filepath.Join(o.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
