package arc_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
)

// TestDkimpy has dkimpy (Debian: python3-dkim, python3-authres) verify a chain
// that we sealed, and seal it once more for us to verify. It is skipped where
// that is not installed, unless POSTHOUSE_TEST_ALL is set.
func TestDkimpy(t *testing.T) {
	w := newWorld(t)
	msg := letter
	for _, domain := range []string{"list1.example", "list2.example"} {
		msg = w.forward(t, msg, w.key(t, domain, w.rsa), addFooter)
	}
	key := w.key(t, "list3.example", w.rsa)
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(w.rsa)})
	cmd := exec.Command("/usr/bin/python3", "-c", dkimpy, w.dns.txt["s._domainkey."+key.Domain], string(private))
	cmd.Stdin = strings.NewReader(msg)
	var said bytes.Buffer
	cmd.Stderr = &said
	fields, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != 77 || err != nil && os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		t.Fatal(err, said.String())
	} else if err != nil {
		t.Skip("python3-dkim is not installed")
	}
	own, _, _ := strings.Cut(msg, "ARC-Seal")
	if res := w.verify(t, own+string(fields)+msg); res.Verdict != senderauth.Pass || len(res.Sets) != 3 {
		t.Errorf("%+v\n%s", res, fields)
	}
}

// dkimpy verifies the chain of the message that it reads, and writes another set.
const dkimpy = `
import sys
try:
    import dkim, authres
except ImportError:
    sys.exit(77)
record, private = (s.encode() for s in sys.argv[1:])
msg = sys.stdin.buffer.read()
cv, sets, reason = dkim.arc_verify(msg, dnsfunc=lambda name, timeout=5: record)
assert cv == b"pass" and len(sets) == 2, (cv, sets, reason)
msg = b"Authentication-Results: list3.example; arc=pass\r\n" + msg
out = dkim.arc_sign(msg, b"s", b"list3.example", private, b"list3.example")
sys.stdout.buffer.write(b"".join(out))
`
