package event_test

import (
	"flag"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

var update = flag.Bool("update", false, "write the golden file anew")

var noon = time.Date(2026, 3, 2, 12, 0, 0, 1, time.UTC)

func path(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

// all is every kind of event, with every field set.
func all() []event.Event {
	hop := mail.Hop{Route: "out", Transport: "remote", Destination: "sina.example", Origin: mail.Origin{File: "main.hcl", Line: 3, Column: 1}}
	source := mail.Source{
		Listener: "mx", Client: netip.MustParseAddrPort("192.0.2.7:4711"), Hello: "sohu.example", Protocol: "ESMTPSA",
		TLS: "TLS 1.3 TLS_AES_128_GCM_SHA256", Login: "ann",
	}
	outcome := mail.Outcome{
		Recipient: 2, Fate: mail.Deferred, At: noon, Took: 1500 * time.Millisecond,
		Reply: smtp.Replyf(451, smtp.EnhancedCode{4, 7, 1}, "greylisted,\ncome back"), Local: true, Stage: smtp.VerbRCPT,
		Unsure: true, OurLimit: true, HostDown: true, Host: "mx1.sina.example", Addr: "192.0.2.1:25", TLS: "TLS 1.3",
		Forwarded: true, Encoded: true, Tried: "mx0.sina.example: connection refused",
	}
	attempt := event.Attempt{Outcome: outcome, To: path("bob@sina.example"), Hop: hop, Next: noon.Add(time.Minute), Owed: mail.ReportDelayed}
	decided := event.Decided(attempt)
	return []event.Event{
		&event.Accepted{
			From: path("ann@sohu.example"), More: 3, Size: 4096, Source: source, Subject: "你好, it rains\nid accepted", MessageID: "<1@sohu.example>", Repaired: "date",
			To: []event.Recipient{{To: path("bob@sina.example"), Original: path("sales@sohu.example")}, {To: path(`"a b"@sina.example`)}},
		},
		&event.Refused{Source: source, Stage: smtp.VerbRCPT, From: path("ann@sohu.example"), To: path("eve@sina.example"), Reply: smtp.Replyf(550, smtp.EnhancedCode{5, 1, 1}, "no such user"), Check: "dmarc", Why: "not aligned", Origin: hop.Origin},
		&attempt, &decided,
		&event.Reported{Report: mail.ID{1, 2, 3}, To: path("ann@sohu.example"), Action: mail.ReportFailed, Recipients: []int{0, 7}, Dropped: "none"},
		&event.SecondCopy{Recipient: 1, To: path("bob@sina.example"), Why: "the link was cut"},
		&event.Ordered{Recipient: 1, To: path("bob@sina.example"), Order: "reroute", By: "root", Reason: "said so\r\n", Via: hop},
		&event.Damaged{What: "checksum of the body"},
		&event.LoginFailed{Source: source, Mechanism: "PLAIN", Account: "ann", Why: "the wrong password", Reply: smtp.Replyf(535, smtp.EnhancedCode{5, 7, 8}, "no")},
		&event.Judged{Action: "quarantine", Changed: "removed a field", Opinions: []event.Opinion{
			{Check: "sender", Stage: smtp.Dot, Action: "reject", Why: "p=reject", Origin: hop.Origin, Results: "dmarc=fail", AtMost: "quarantine", Limit: hop.Origin},
			{Check: "greylist", Stage: smtp.VerbRCPT, Action: "pass", Why: "known"},
		}},
	}
}

func TestEveryFieldIsKept(t *testing.T) {
	for _, e := range all() {
		v := reflect.ValueOf(e).Elem()
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%T: the test leaves %s zero", e, v.Type().Field(i).Name)
			}
		}
		got, err := event.Parse(event.Append(nil, e))
		if err != nil {
			t.Fatalf("%T: %v", e, err)
		}
		if diff := cmp.Diff(e, got, compare); diff != "" {
			t.Errorf("%T (-written +read):\n%s", e, diff)
		}
	}
}

var compare = cmp.Options{
	cmp.Comparer(func(a, b smtp.Path) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

// TestJournalStaysReadable holds what was written against what earlier versions
// of the program wrote: a journal outlives them.
func TestJournalStaysReadable(t *testing.T) {
	var now, lines strings.Builder
	for i, e := range all() {
		now.Write(event.Append(nil, e))
		entry := event.Entry{ID: mail.ID{1: byte(i)}, At: noon, Event: e}
		lines.WriteString(entry.Line() + "\n")
	}
	golden(t, "testdata/journal.bin", now.String())
	golden(t, "testdata/log.txt", lines.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestAnEnvelopeOfManyFitsIntoAFact(t *testing.T) {
	local, domain := strings.Repeat("l", 64), strings.Repeat(strings.Repeat("d", 63)+".", 3)[:189]
	long := path(local + "@" + domain)
	e := mail.Envelope{From: long, To: make([]mail.Recipient, 100_000)}
	for i := range e.To {
		e.To[i] = mail.Recipient{To: long, Original: path("x" + local[1:] + "@" + domain)}
	}
	a := event.NewAccepted(&e, 1)
	if n := len(event.Append(nil, a)); n > 1024*1024 {
		t.Errorf("a fact of %d octets", n)
	}
	if len(a.To)+a.More != len(e.To) {
		t.Errorf("%d listed and %d more", len(a.To), a.More)
	}
}

func TestStoryIsToldMessageByMessage(t *testing.T) {
	first, second := mail.ID{1}, mail.ID{2}
	in := []event.Entry{
		{ID: second, At: noon, Seq: 5, Event: &event.Damaged{What: "last"}},
		{ID: first, At: noon.Add(-time.Hour), Seq: 2, Event: &event.Damaged{What: "though the clock went back"}},
		{ID: first, At: noon.Add(time.Second), Seq: 4, Event: &event.Damaged{What: "c"}},
		{ID: first, At: noon.Add(time.Second), Seq: 3, Event: &event.Damaged{What: "b"}},
		{ID: first, At: noon, Seq: 1, Event: &event.Accepted{Subject: "arrival"}},
	}
	var told []string
	for _, e := range event.Story(in) {
		told = append(told, e.Line()[21:])
	}
	want := []string{"accepted from=<> subject=arrival", `damaged what="though the clock went back"`, "damaged what=b", "damaged what=c", "damaged what=last"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

// FuzzParse: what can be read is written and read back as it was, and is one
// line in a log.
func FuzzParse(f *testing.F) {
	for _, e := range all() {
		f.Add(event.Append(nil, e))
	}
	f.Add([]byte{2, 0x2a, 0})
	f.Add([]byte{1, 0x32, 6, 'a', '\n', 'b', 0x9b, 0xe2, 0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := event.Parse(data)
		if err != nil {
			return
		}
		again, err := event.Parse(event.Append(nil, e))
		if err != nil {
			t.Fatalf("%v, of what was written for %#v", err, e)
		}
		if diff := cmp.Diff(e, again, compare); diff != "" {
			t.Fatalf("(-read +read again):\n%s", diff)
		}
		entry := event.Entry{At: noon, Event: e}
		checkLine(t, entry.Line())
	})
}

func checkLine(t *testing.T, line string) {
	t.Helper()
	if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Fatalf("not a printable line: %q", line)
	}
}

func BenchmarkAppendAttempt(b *testing.B) {
	e := all()[2]
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = event.Append(buf[:0], e)
	}
}
