package dkim_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
)

// TestDkimpy has dkimpy (Debian: python3-dkim) verify what we sign, and sign
// what we verify, with RSA and Ed25519. It is skipped where that is not installed, unless POSTHOUSE_TEST_ALL is set.
func TestDkimpy(t *testing.T) {
	k := newKeyring(t)
	simple := k.both()[0]
	simple.SimpleHeader = true
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.rsa)})
	records := []string{k.dns.txt["rsa._domainkey.example.org"][0], k.dns.txt["ed._domainkey.example.org"][0]}
	cmd := exec.Command("/usr/bin/python3", "-c", dkimpy, records[0], records[1], string(private), base64.StdEncoding.EncodeToString(k.ed.Seed()), letter)
	cmd.Stdin = bytes.NewReader(sign(t, letter, append(k.both(), simple)...))
	var said strings.Builder
	cmd.Stderr = &said
	fields, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != 77 || err != nil && os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		t.Fatal(err, said.String())
	} else if err != nil {
		t.Skip("python3-dkim is not installed")
	}
	results := verify(t, k.dns, append(fields, letter...))
	for _, res := range results {
		if res.Verdict != senderauth.Pass {
			t.Errorf("%+v", res)
		}
	}
	if len(results) != 3 {
		t.Errorf("%d results", len(results))
	}
}

// dkimpy verifies the three signatures of what it reads, and writes three for a letter.
const dkimpy = `
import sys
try:
    import dkim
except ImportError:
    sys.exit(77)
rsa, ed, private, seed, letter = (s.encode() for s in sys.argv[1:])
def key(name, timeout=5):
    return rsa if name.startswith(b"rsa.") else ed
msg = sys.stdin.buffer.read()
for i in (0, 1, 2):
    assert dkim.DKIM(msg).verify(idx=i, dnsfunc=key), "signature %d does not verify" % i
for form in (b"simple", b"relaxed"):
    sys.stdout.buffer.write(dkim.sign(letter, b"rsa", b"example.org", private, canonicalize=(form, form)))
sys.stdout.buffer.write(dkim.sign(letter, b"ed", b"example.org", seed, signature_algorithm=b"ed25519-sha256"))
`
