package e2e

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/arc"
	"github.com/posthouse/posthouse/senderauth/dkim"
)

// judgedByRspamd is what rspamd finds in mail of ours, by the names of its rules.
var judgedByRspamd = []struct {
	name, ip string
	make     func(t *testing.T, s *sealers) string
	found    string
}{
	{
		"signed with RSA and Ed25519", "192.0.2.1",
		func(t *testing.T, s *sealers) string { return s.signed(t) },
		"R_SPF_ALLOW R_DKIM_ALLOW DMARC_POLICY_ALLOW ARC_NA",
	},
	{
		"changed on its way", "198.51.100.1",
		func(t *testing.T, s *sealers) string { return s.signed(t) + "Buy!\r\n" },
		"R_SPF_FAIL R_DKIM_REJECT DMARC_POLICY_REJECT ARC_NA",
	},
	{
		"sealed by two forwarders", "198.51.100.1",
		func(t *testing.T, s *sealers) string {
			return s.sealed(t, "two.test", s.sealed(t, "one.test", s.signed(t)))
		},
		"R_SPF_FAIL R_DKIM_ALLOW DMARC_POLICY_ALLOW ARC_ALLOW",
	},
	{
		"sealed by a list that adds a footer", "198.51.100.1",
		func(t *testing.T, s *sealers) string {
			return s.sealed(t, "two.test", s.sealed(t, "one.test", s.signed(t))+"-- \r\nthe list\r\n")
		},
		"R_DKIM_REJECT DMARC_POLICY_REJECT ARC_REJECT", // cv=fail: the list came before its seal
	},
	{
		"changed behind its seal", "198.51.100.1",
		func(t *testing.T, s *sealers) string { return s.sealed(t, "one.test", s.signed(t)) + "Buy!\r\n" },
		"R_DKIM_REJECT ARC_REJECT",
	},
	{
		"unsigned, from a host of the domain", "192.0.2.1",
		func(*testing.T, *sealers) string { return ourLetter },
		"R_SPF_ALLOW R_DKIM_NA DMARC_POLICY_ALLOW",
	},
}

// TestRspamdVerifies what we sign and seal, by the same zone of which our own verifiers hear.
func TestRspamdVerifies(t *testing.T) {
	t.Parallel()
	needs(t, "rspamd")
	s := newSealers(t)
	f := newFilter(t, startNames(t, s.zone()))
	f.start(t, "rspamd", "-f", "-i", "-c", filepath.Join(f.dir, "rspamd-verify.conf"))
	f.answers(t, "tcp", f.addr)
	for _, c := range judgedByRspamd {
		msg := c.make(t, s)
		symbols := f.judges(t, c.ip, msg)
		for want := range strings.FieldsSeq(c.found) {
			if !slices.Contains(symbols, want) {
				t.Errorf("%s: rspamd finds %s, and no %s in\n%s", c.name, symbols, want, msg)
			}
		}
	}
}

// judges is what rspamd says of a message that li@sohu.test sends from an address.
func (f *filter) judges(t *testing.T, ip, msg string) (symbols []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.addr+"/checkv2", strings.NewReader(msg))
	check(t, err)
	for name, value := range map[string]string{"IP": ip, "From": "li@sohu.test", "Helo": "mx.sohu.test", "Rcpt": "wang@sina.test"} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	check(t, err)
	defer resp.Body.Close()
	var said struct{ Symbols map[string]any }
	check(t, json.NewDecoder(resp.Body).Decode(&said))
	for name := range said.Symbols {
		symbols = append(symbols, name)
	}
	slices.Sort(symbols)
	return symbols
}

const ourLetter = "From: li@sohu.test\r\nTo: wang@sina.test\r\nSubject: a letter\r\nMessage-ID: <1@sohu.test>\r\n" +
	"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n\r\nHow are you?\r\n"

// sealers are keys, and the zone that has their other halves.
type sealers struct {
	rsa     *rsa.PrivateKey
	ed      ed25519.PrivateKey
	records map[string]string
}

func newSealers(t *testing.T) *sealers {
	t.Helper()
	s := &sealers{records: map[string]string{
		"sohu.test":        "v=spf1 ip4:192.0.2.1 -all",
		"_dmarc.sohu.test": "v=DMARC1; p=reject",
	}}
	var err error
	s.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	_, s.ed, err = ed25519.GenerateKey(rand.Reader)
	check(t, err)
	for name, key := range map[string]crypto.Signer{"r._domainkey.sohu.test": s.rsa, "e._domainkey.sohu.test": s.ed, "r._domainkey.one.test": s.rsa, "r._domainkey.two.test": s.rsa} {
		s.records[name], err = senderauth.FormatKey(key.Public())
		check(t, err)
	}
	return s
}

// zone is what is published, as a name server reads it.
func (s *sealers) zone() string {
	var lines []string
	for name, txt := range s.records {
		strings := `"` + txt[:min(len(txt), 250)] + `" "` + txt[min(len(txt), 250):] + `"`
		lines = append(lines, name+". 60 TXT "+strings)
	}
	return strings.Join(lines, "\n")
}

// resolver is the same for our own verifiers.
func (s *sealers) resolver(t *testing.T) senderauth.Resolver {
	var lines []string
	for name, txt := range s.records {
		lines = append(lines, name+" TXT "+txt)
	}
	return authdns.Resolver{DNS: dnstest.New(t, strings.Join(lines, "\n"))}
}

// signed is a letter with two signatures.
func (s *sealers) signed(t *testing.T) string {
	t.Helper()
	fields, err := dkim.Sign(strings.NewReader(ourLetter),
		dkim.Key{Domain: "sohu.test", Selector: "r", Signer: s.rsa}, dkim.Key{Domain: "sohu.test", Selector: "e", Signer: s.ed})
	check(t, err)
	return string(fields) + ourLetter
}

// sealed is a message with a set of a forwarder on top.
func (s *sealers) sealed(t *testing.T, domain, msg string) string {
	t.Helper()
	came, err := arc.Verify(context.Background(), s.resolver(t), strings.NewReader(msg))
	check(t, err)
	h, body, err := message.ReadHeader(strings.NewReader(msg), message.HeaderLimits{})
	check(t, err)
	sealer, err := arc.NewSealer(h, came, senderauth.Results{ID: domain}, arc.Key{Domain: domain, Selector: "r", Signer: s.rsa})
	check(t, err)
	_, err = io.Copy(sealer, body)
	check(t, err)
	fields, err := sealer.Fields()
	check(t, err)
	return string(bytes.TrimSpace(fields)) + "\r\n" + msg
}
