package sender_test

import (
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/sender"
	"github.com/posthouse/posthouse/smtp"
)

type text string

func (s text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(s))), nil }
func (s text) Size() int64                  { return int64(len(s)) }

const zone = `
strict.example         TXT v=spf1 ip4:192.0.2.7 -all
_dmarc.strict.example  TXT v=DMARC1; p=reject
junk.example           TXT v=spf1 ip4:192.0.2.7 -all
_dmarc.junk.example    TXT v=DMARC1; p=quarantine
test.example           TXT v=spf1 ip4:192.0.2.7 -all
_dmarc.test.example    TXT v=DMARC1; p=reject; t=y
_dmarc.silent.example  TXT !temporary
`

// TestWhatIsWanted: what a setting of DMARC makes of each kind of message. SPF alone refuses nothing.
func TestWhatIsWanted(t *testing.T) {
	resolver := authdns.Resolver{DNS: dnstest.New(t, zone)}
	for _, c := range []struct {
		client, domain          string
		honour, junk, only, off policy.Action
	}{
		{"192.0.2.7", "strict.example", policy.Pass, policy.Pass, policy.Pass, policy.Pass},
		{"192.0.2.9", "strict.example", policy.Reject, policy.Quarantine, policy.Mark, policy.Pass},
		{"192.0.2.9", "junk.example", policy.Quarantine, policy.Quarantine, policy.Mark, policy.Pass},
		{"192.0.2.9", "test.example", policy.Quarantine, policy.Quarantine, policy.Mark, policy.Pass},
		{"192.0.2.9", "none.example", policy.Pass, policy.Pass, policy.Pass, policy.Pass},
		{"192.0.2.9", "silent.example", policy.Defer, policy.Defer, policy.Mark, policy.Pass},
		{"127.0.0.1", "strict.example", policy.Pass, policy.Pass, policy.Pass, policy.Pass},
	} {
		for setting, want := range map[policy.Action]policy.Action{
			policy.Reject: c.honour, policy.Quarantine: c.junk, policy.Mark: c.only, policy.Pass: c.off,
		} {
			check := sender.New(sender.Options{
				Resolver: resolver, Hostname: "mx.sohu.com", SPF: true, DKIM: true, ARC: true, DMARC: setting, DNSFailure: policy.Defer,
			})
			if got := judge(t, check, c.client, c.domain, false); got != want {
				t.Errorf("%s from %s, with %s: %s, want %s", c.domain, c.client, setting, got, want)
			}
			if got := judge(t, check, c.client, c.domain, true); got != policy.Pass {
				t.Errorf("%s of who is trusted: %s", c.domain, got)
			}
		}
	}
}

func judge(t *testing.T, c *sender.Check, client, domain string, trusted bool) policy.Action {
	t.Helper()
	from, err := smtp.ParseMailbox("jo@" + domain)
	if err != nil {
		t.Fatal(err)
	}
	v := &policy.Visit{
		Source: mail.Source{Client: netip.AddrPortFrom(netip.MustParseAddr(client), 4711), Hello: "mx." + domain}, From: from, Trusted: trusted,
	}
	message, err := policy.ReadText(text("From: jo@" + domain + "\r\nSubject: hello\r\n\r\nhello\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Open(v)
	if s == nil {
		return policy.Pass
	}
	defer s.Close()
	if o := s.Mail(t.Context(), v); o.Action != policy.Pass {
		t.Errorf("MAIL of %s: %s", domain, o.Action)
	}
	return s.Data(t.Context(), v, message).Action
}

// TestReceivedSPF: the field is on top of the message where it is wanted, and each message has its own.
func TestReceivedSPF(t *testing.T) {
	c := sender.New(sender.Options{Resolver: authdns.Resolver{DNS: dnstest.New(t, zone)}, Hostname: "mx.sohu.com", SPF: true, ReceivedSPF: true})
	v := &policy.Visit{Source: mail.Source{Client: netip.MustParseAddrPort("192.0.2.9:4711"), Hello: "mx.strict.example"}}
	s := c.Open(v)
	defer s.Close()
	message, err := policy.ReadText(text("From: jo@strict.example\r\n\r\nhello\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{"jo@strict.example": "fail (mx.sohu.com: strict.example ", "jo@none.example": "none (mx.sohu.com: none.example "} {
		v.From, err = smtp.ParseMailbox(from)
		if err != nil {
			t.Fatal(err)
		}
		s.Mail(t.Context(), v)
		top := s.Data(t.Context(), v, message).Edits.Top
		if len(top) != 1 || top[0].Name != "Received-SPF" || !strings.HasPrefix(top[0].Value, want) {
			t.Errorf("%s: %q", from, top)
		}
		s.Reset()
	}
}
