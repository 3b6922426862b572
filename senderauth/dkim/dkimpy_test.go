package dkim_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os/exec"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
)

// TestDkimpy has dkimpy (Debian: python3-dkim) verify what we sign, and sign
// what we verify. It is skipped where that is not installed.
func TestDkimpy(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import dkim").Run() != nil {
		t.Skip("python3-dkim is not installed")
	}
	k := newKeyring(t)
	for _, simple := range []bool{false, true} {
		key := k.both()[0]
		key.SimpleHeader, key.SimpleBody = simple, simple
		txt := k.dns.txt["rsa._domainkey.example.org"][0]
		run(t, sign(t, letter, key), python, "-c", `
import sys, dkim
msg = sys.stdin.buffer.read()
assert dkim.verify(msg, dnsfunc=lambda name, timeout=5: sys.argv[1].encode()), "does not verify"`, txt)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.rsa)})
	for _, form := range []string{"simple", "relaxed"} {
		field := run(t, []byte(letter), python, "-c", `
import sys, dkim
form = sys.argv[2].encode()
sys.stdout.buffer.write(dkim.sign(sys.stdin.buffer.read(), b"rsa", b"example.org", sys.argv[1].encode(), canonicalize=(form, form)))`, string(private), form)
		if res := verify(t, k.dns, append(field, letter...)); len(res) != 1 || res[0].Verdict != senderauth.Pass {
			t.Errorf("%s: %+v", form, res)
		}
	}
}

func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v: %s", err, said.String())
	}
	return out
}
