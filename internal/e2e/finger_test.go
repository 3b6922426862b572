package e2e

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// judged is what a program that looks at TLS says of a port, and whether it is content.
func judged(t *testing.T, args ...string) (said string, content bool) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader("QUIT\n")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// tlsa is the record "3 1 1" of a certificate (RFC 7672, 3.1): the hash of its public key.
func tlsa(t *testing.T, chain string) string {
	t.Helper()
	text, err := os.ReadFile(chain)
	check(t, err)
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	check(t, err)
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// TestOpenSSLVerifiesEachPort: OpenSSL's s_client finds the certificate good at each port, by an
// authority and by a TLSA record; a record of another key fails, and old TLS is not spoken.
func TestOpenSSLVerifiesEachPort(t *testing.T) {
	t.Parallel()
	needs(t, "openssl")
	authority := newAuthority(t)
	chain, key := authority.certify(t, "127.0.0.1")
	check(t, os.Chmod(key, 0o600))
	h := open(t, "tls-ports", "CHAIN="+chain, "KEY="+key)
	hash := tlsa(t, chain)
	for _, port := range []struct{ name, starttls string }{{"smtp", "smtp"}, {"submission", "smtp"}, {"submissions", ""}} {
		client := []string{"openssl", "s_client", "-connect", h.at[port.name], "-verify_return_error", "-brief"}
		if port.starttls != "" {
			client = append(client, "-starttls", port.starttls)
		}
		authorized := append(client[:len(client):len(client)], "-CAfile", authority.file, "-verify_ip", "127.0.0.1")
		signed := append(client[:len(client):len(client)], "-dane_tlsa_domain", "mx.example.org", "-dane_ee_no_namechecks", "-dane_tlsa_rrdata")
		for _, x := range []struct {
			name    string
			args    []string
			content bool
			says    string
		}{
			{"by an authority, TLS 1.3", append(authorized[:len(authorized):len(authorized)], "-tls1_3"), true, "Protocol version: TLSv1.3"},
			{"by an authority, TLS 1.2", append(authorized[:len(authorized):len(authorized)], "-tls1_2"), true, "Protocol version: TLSv1.2"},
			{"TLS 1.1", append(authorized[:len(authorized):len(authorized)], "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), false, ""},
			{"by TLSA", append(signed[:len(signed):len(signed)], "3 1 1 "+hash), true, "DANE TLSA 3 1 1 "},
			{"by TLSA of another key", append(signed[:len(signed):len(signed)], "3 1 1 "+strings.Repeat("00", 32)), false, "verify error"},
		} {
			said, content := judged(t, x.args...)
			if content != x.content || !strings.Contains(said, x.says) {
				t.Errorf("%s, %s: content %v, says %s", port.name, x.name, content, said)
			}
		}
	}
	h.end(t)
}

// TestPosttlsFingerVerifiesUs: Postfix's program that looks at mail servers finds the certificate
// good by an authority and by its fingerprint, and not by those of another.
func TestPosttlsFingerVerifiesUs(t *testing.T) {
	t.Parallel()
	needs(t, "posttls-finger")
	authority, another := newAuthority(t), newAuthority(t)
	chain, key := authority.certify(t, "127.0.0.1")
	check(t, os.Chmod(key, 0o600))
	h := open(t, "tls-ports", "CHAIN="+chain, "KEY="+key)
	host, port, _ := strings.Cut(h.at["smtp"], ":")
	fingerprint := strings.ToUpper(colons(tlsa(t, chain)))
	for _, x := range []struct {
		name string
		args []string
		says string
	}{
		{"an authority", []string{"-l", "verify", "-F", authority.file}, "Verified TLS connection established"},
		{"another authority", []string{"-l", "verify", "-F", another.file}, "Untrusted TLS connection established"},
		{"a fingerprint", []string{"-l", "fingerprint", "-d", "sha256", fingerprint}, "Verified TLS connection established"},
		{"another fingerprint", []string{"-l", "fingerprint", "-d", "sha256", strings.ToUpper(colons(strings.Repeat("00", 32)))}, "Untrusted TLS connection established"},
	} {
		match := []string{}
		if len(x.args) == 5 {
			match, x.args = x.args[4:], x.args[:4]
		}
		args := append([]string{"posttls-finger", "-c", "-L", "summary"}, x.args...)
		said, _ := judged(t, append(append(args, "["+host+"]:"+port), match...)...)
		if !strings.Contains(said, x.says) {
			t.Errorf("by %s it says %s", x.name, said)
		}
	}
	h.end(t)
}

// colons puts one behind each two digits but the last.
func colons(digits string) string {
	var b strings.Builder
	for i := 0; i < len(digits); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(digits[i : i+2])
	}
	return b.String()
}
