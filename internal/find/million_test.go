package find

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/smtp"
)

// BenchmarkMillion searches a journal of a million messages, or POSTHOUSE_BENCH_MESSAGES.
// Run it with -benchtime 1x. bench/find.md tells how it went.
func BenchmarkMillion(b *testing.B) {
	messages := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("POSTHOUSE_BENCH_MESSAGES")); err == nil {
		messages = n
	}
	dir := b.TempDir()
	s, err := pebblespool.Open(filepath.Join(dir, "spool"), pebblespool.Options{MinFree: -1, Ballast: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	w := &writer{rand: rand.New(rand.NewPCG(1, 2))}
	w.fill(b, s, messages)
	x, err := Open(Options{Dir: filepath.Join(dir, "index"), Journal: s})
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begun := time.Now()
	if err := x.CatchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	took := time.Since(begun)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Logf("%d messages, %d chapters, %s of index, read in %v (%v a message), %d MB more on the heap",
		messages, len(x.files), megabytes(x), took.Round(time.Millisecond), took/time.Duration(messages), (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>20)
	for _, kind := range kinds {
		w.search(b, x, kind)
	}
}

func megabytes(x *Index) string {
	var size int64
	for _, c := range x.files {
		size += c.end
	}
	return fmt.Sprintf("%d MB", size>>20)
}

// writer makes up mail as a company has it: some senders and words are frequent, most are
// not.
type writer struct {
	rand     *rand.Rand
	n        int
	accepted []event.Accepted // some of them, to search for
	replies  []string
}

func (w *writer) often(n int) int {
	return int(float64(n) * w.rand.Float64() * w.rand.Float64() * w.rand.Float64())
}

func (w *writer) subject() string {
	words := make([]string, 3+w.rand.IntN(5))
	for i := range words {
		words[i] = word(w.often(20_000))
	}
	return strings.Join(words, " ")
}

// word is one of a language without meaning.
func word(n int) string {
	const consonants, vowels = "bcdfghklmnprstvz", "aeiou"
	var b strings.Builder
	for n += 80; n > 0; n /= 80 {
		b.WriteByte(consonants[n%16])
		b.WriteByte(vowels[n/16%5])
	}
	return b.String()
}

func (w *writer) path(users, domains int) smtp.Path {
	p, _ := smtp.ParseMailbox(fmt.Sprintf("%s.%d@%s.example", word(w.often(2000)), w.often(users), word(w.often(domains))))
	return p
}

func (w *writer) fill(b *testing.B, s *pebblespool.Spool, messages int) {
	var facts []spool.Fact
	for range messages {
		facts = append(facts, w.message()...)
		if len(facts) > 1000 || w.n == messages {
			if err := s.Note(b.Context(), facts); err != nil {
				b.Fatal(err)
			}
			facts = facts[:0]
		}
	}
}

func (w *writer) message() []spool.Fact {
	w.n++
	now := time.Now()
	id := mail.ID{}
	copy(id[:], fmt.Sprintf("%012x", w.n))
	a := event.Accepted{
		From: w.path(500, 200), To: []event.Recipient{{To: w.path(5000, 2000)}}, Size: 4000, Subject: w.subject(), MessageID: fmt.Sprintf("%x@sohu.example", w.rand.Uint64()),
		Source: mail.Source{Listener: "mx", Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(w.often(256)), byte(w.often(256))}), 4711), Hello: "client.example", Protocol: "ESMTPS", TLS: "TLS 1.3 TLS_AES_128_GCM_SHA256"},
	}
	r := smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "Ok: queued as %08X", w.rand.Uint32())
	o := mail.Outcome{Fate: mail.Relayed, At: now, Took: time.Second, Reply: r, Host: "mx." + a.To[0].To.Domain(), Addr: "192.0.2.1:25"}
	if w.rand.IntN(100) == 0 {
		o.Fate, o.Reply = mail.Failed, smtp.Replyf(smtp.Code(550), smtp.EnhancedCode{5, 1, 1}, "%s: no such user", a.To[0].To)
	}
	if w.rand.IntN(1000) == 0 {
		w.accepted, w.replies = append(w.accepted, a), append(w.replies, o.Reply.Text)
	}
	t := event.Attempt{Outcome: o, To: a.To[0].To, Hop: mail.Hop{Route: "default", Transport: "remote", Destination: a.To[0].To.Domain()}}
	return []spool.Fact{{ID: id, At: now, Data: event.Append(nil, &a)}, {ID: id, At: now, Data: event.Append(nil, &t)}}
}

// kinds are the searches, each made of a message that there is.
var kinds = []struct {
	name string
	of   func(a *event.Accepted, reply string) string
}{
	{"sender", func(a *event.Accepted, _ string) string { return "from:" + a.From.String() }},
	{"recipient", func(a *event.Accepted, _ string) string { return a.To[0].To.String() }},
	{"domain", func(a *event.Accepted, _ string) string { return a.To[0].To.Domain() }},
	{"word of the subject", func(a *event.Accepted, _ string) string { return strings.Fields(a.Subject)[0] }},
	{"three words of it", func(a *event.Accepted, _ string) string { return strings.Join(strings.Fields(a.Subject)[:3], " ") }},
	{"start of a word", func(a *event.Accepted, _ string) string { return strings.Fields(a.Subject)[0][:3] + "*" }},
	{"one letter", func(a *event.Accepted, _ string) string { return a.Subject[:1] + "*" }},
	{"word of the reply", func(_ *event.Accepted, reply string) string {
		f := strings.Fields(reply)
		return "reply:" + f[len(f)-1]
	}},
	{"sender and word", func(a *event.Accepted, _ string) string {
		return "from:" + a.From.Domain() + " " + strings.Fields(a.Subject)[1]
	}},
	{"failed, with a word", func(a *event.Accepted, _ string) string { return "fate:failed " + strings.Fields(a.Subject)[1] }},
	{"Message-ID", func(a *event.Accepted, _ string) string { return "<" + a.MessageID + ">" }},
	{"what is not there", func(a *event.Accepted, _ string) string { return "from:" + a.From.String() + "x" }},
	{"all there is", func(*event.Accepted, string) string { return "" }},
}

func (w *writer) search(b *testing.B, x *Index, kind struct {
	name string
	of   func(a *event.Accepted, reply string) string
},
) {
	var times []time.Duration
	pages := 0
	for n := range 100 {
		i := n * len(w.accepted) / 100
		q := Query{Words: kind.of(&w.accepted[i], w.replies[i])}
		begun := time.Now()
		page, err := x.Find(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		if times = append(times, time.Since(begun)); len(page.Found) > 0 {
			pages++
		}
	}
	slices.Sort(times)
	at := func(percent int) time.Duration { return times[len(times)*percent/100].Round(10 * time.Microsecond) }
	b.Logf("%-20s %3d of 100 find something; p50 %v, p95 %v, longest %v", kind.name, pages, at(50), at(95), times[len(times)-1].Round(10*time.Microsecond))
}
