package dkim_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
)

// TestDkimpy has dkimpy (Debian: python3-dkim) verify what we sign, and sign
// what we verify. It is skipped where that is not installed.
func TestDkimpy(t *testing.T) {
	k := newKeyring(t)
	key := k.both()[0]
	key.SimpleHeader = true
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.rsa)})
	cmd := exec.Command("/usr/bin/python3", "-c", dkimpy, k.dns.txt["rsa._domainkey.example.org"][0], string(private), letter)
	cmd.Stdin = bytes.NewReader(sign(t, letter, key, k.both()[0]))
	var said strings.Builder
	cmd.Stderr = &said
	fields, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != 77 {
		t.Fatal(said.String())
	} else if err != nil {
		t.Skip("python3-dkim is not installed")
	}
	results := verify(t, k.dns, append(fields, letter...))
	for _, res := range results {
		if res.Verdict != senderauth.Pass {
			t.Errorf("%+v", res)
		}
	}
	if len(results) != 2 {
		t.Errorf("%d results", len(results))
	}
}

// dkimpy verifies both signatures of what it reads, and writes two for a letter.
const dkimpy = `
import sys
try:
    import dkim
except ImportError:
    sys.exit(77)
record, private, letter = (s.encode() for s in sys.argv[1:])
msg = sys.stdin.buffer.read()
for i in (0, 1):
    assert dkim.DKIM(msg).verify(idx=i, dnsfunc=lambda name, timeout=5: record), "does not verify"
for form in (b"simple", b"relaxed"):
    sys.stdout.buffer.write(dkim.sign(letter, b"rsa", b"example.org", private, canonicalize=(form, form)))
`
