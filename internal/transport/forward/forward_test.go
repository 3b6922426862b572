package forward_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/forward"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/arc"
	"github.com/posthouse/posthouse/smtp"
)

func path(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

// carrier notes what it carries.
type carrier struct{ told []string }

func (c *carrier) Deliver(_ context.Context, d transport.Delivery) []mail.Outcome {
	var out []mail.Outcome
	for _, r := range d.Recipients {
		c.told = append(c.told, fmt.Sprintf("%s to %s", d.Envelope.From, d.Envelope.To[r].To))
		out = append(out, mail.Outcome{Recipient: r, Fate: mail.Relayed})
	}
	return out
}

func ours(domain string) bool { return domain == "sohu.com" }

func rewritten(_ context.Context, from smtp.Path, _ time.Time) (smtp.Path, error) {
	return path("srs0=" + from.Local() + "@sohu.com"), nil
}

// TestWhoIsForwarded: only those who were given as somebody of ours go in our name, and only for
// senders from elsewhere; each recipient has his outcome, in his place.
func TestWhoIsForwarded(t *testing.T) {
	outside := mail.Source{Client: netip.MustParseAddrPort("192.0.2.7:4711")}
	for _, c := range []struct {
		name, from string
		source     mail.Source
		want       []string
	}{
		{"a stranger", "li@netease.com", outside, []string{"li@netease.com to bob@sina.com", "srs0=li@sohu.com to wang@sina.com"}},
		{"one of us", "zhang@sohu.com", outside, []string{"zhang@sohu.com to wang@sina.com", "zhang@sohu.com to bob@sina.com"}},
		{"a program here", "li@netease.com", mail.Source{Listener: "sendmail"}, []string{"li@netease.com to wang@sina.com", "li@netease.com to bob@sina.com"}},
		{"who has logged in", "li@netease.com", mail.Source{Client: outside.Client, Login: "li"}, []string{"li@netease.com to wang@sina.com", "li@netease.com to bob@sina.com"}},
		{"nobody", "", outside, []string{" to bob@sina.com", " to wang@sina.com"}},
	} {
		e := &mail.Envelope{Source: c.source, To: []mail.Recipient{
			{To: path("wang@sina.com"), Original: path("wang@sohu.com")},
			{To: path("bob@sina.com"), Original: path("bob@sina.com")},
		}}
		if c.from != "" {
			e.From = path(c.from)
		}
		next := &carrier{}
		out := forward.New(next, forward.Options{Ours: ours, Sender: rewritten}).Deliver(t.Context(), transport.Delivery{Envelope: e, Recipients: []int{0, 1}})
		if !slices.Equal(next.told, c.want) {
			t.Errorf("%s: %q, want %q", c.name, next.told, c.want)
		}
		if len(out) != 2 || out[0].Recipient != 0 || out[1].Recipient != 1 {
			t.Errorf("%s: outcomes %v", c.name, out)
		}
	}
}

// TestWhatCannotBeRewrittenWaits: the others get theirs meanwhile.
func TestWhatCannotBeRewrittenWaits(t *testing.T) {
	e := &mail.Envelope{From: path("li@netease.com"), Source: mail.Source{Client: netip.MustParseAddrPort("192.0.2.7:4711")}, To: []mail.Recipient{
		{To: path("bob@sina.com"), Original: path("bob@sina.com")},
		{To: path("wang@sina.com"), Original: path("wang@sohu.com")},
	}}
	broken := func(context.Context, smtp.Path, time.Time) (smtp.Path, error) {
		return smtp.Path{}, errors.New("no disk")
	}
	out := forward.New(&carrier{}, forward.Options{Ours: ours, Sender: broken}).Deliver(t.Context(), transport.Delivery{Envelope: e, Recipients: []int{0, 1}})
	if len(out) != 2 || out[0].Fate != mail.Relayed || out[1].Fate != mail.Deferred || out[1].Recipient != 1 {
		t.Errorf("%+v", out)
	}
}

type text string

func (s text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(s))), nil }
func (s text) Size() int64                  { return int64(len(s)) }

// TestSeal: what we have found is sealed so that others can verify it, again and again; nothing is if
// we have found nothing, or have not looked at the chain.
func TestSeal(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	record, err := senderauth.FormatKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	zone := authdns.Resolver{DNS: dnstest.New(t, "k._domainkey.sohu.com TXT "+record)}
	s := &forward.Sealer{Hostname: "mx.sohu.com", Key: func(time.Time) (arc.Key, bool) {
		return arc.Key{Domain: "sohu.com", Selector: "k", Signer: key}, true
	}}
	const letter = "From: li@netease.com\r\nSubject: hello\r\n\r\nhello\r\n"
	first := sealed(t, s, "Authentication-Results: mx.sohu.com; dmarc=pass\r\n"+letter)
	again := sealed(t, s, "Authentication-Results: mx.sohu.com; arc=pass\r\n"+first)
	for sets, message := range map[int]string{1: first, 2: again} {
		r, err := arc.Verify(t.Context(), zone, strings.NewReader(message))
		if err != nil || r.Verdict != senderauth.Pass || len(r.Sets) != sets {
			t.Errorf("%d: %+v %v", sets, r, err)
		}
	}
	for _, unsealed := range []string{
		letter,
		"Authentication-Results: mx.sina.com; dmarc=pass\r\n" + letter,
		"Authentication-Results: mx.sohu.com; dmarc=pass\r\n" + first,
		"Authentication-Results: mx.sohu.com; dmarc=pass\r\nSubject: nobody\r\n\r\n",
	} {
		if got := sealed(t, s, unsealed); got != unsealed {
			t.Errorf("sealed:\n%s", got)
		}
	}
	broken := sealed(t, s, "Authentication-Results: mx.sohu.com; arc=fail\r\n"+strings.Replace(first, "hello\r\n\r\n", "bye\r\n\r\n", 1))
	if !bytes.Contains([]byte(broken), []byte("cv=fail")) {
		t.Errorf("a chain that does not hold:\n%s", broken)
	}
}

func sealed(t *testing.T, s *forward.Sealer, message string) string {
	t.Helper()
	fields, err := s.Seal(text(message), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + message
}
