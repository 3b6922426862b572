package find

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/smtp"
)

// book is a journal that a test writes, and an index of it.
type book struct {
	t     testing.TB
	spool *memspool.Spool
	dir   string
	x     *Index
	n     int
}

// newBook begins one with chapters of so many messages, about.
func newBook(t testing.TB, most int) *book {
	b := &book{t: t, spool: memspool.New(memspool.Options{}), dir: filepath.Join(t.TempDir(), "index")}
	t.Cleanup(func() { b.spool.Close() })
	b.open(most)
	return b
}

func (b *book) open(most int) {
	b.t.Helper()
	x, err := Open(Options{Dir: b.dir, Journal: b.spool})
	b.must(err)
	x.most = most
	x.begin(0)
	b.x = x
}

func (b *book) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// note states an event.
func (b *book) note(id mail.ID, e event.Event) {
	b.t.Helper()
	b.must(b.spool.Note(b.t.Context(), []spool.Fact{{ID: id, At: time.Now(), Data: event.Append(nil, e)}}))
}

// accept takes a message in.
func (b *book) accept(from, to, subject string) mail.ID {
	b.t.Helper()
	b.n++
	id := mail.ID{0: 1, 10: byte(b.n >> 8), 11: byte(b.n)}
	b.note(id, &event.Accepted{
		From: mailbox(b.t, from), To: []event.Recipient{{To: mailbox(b.t, to)}}, Subject: subject, MessageID: fmt.Sprintf("<%d@sohu.example>", b.n),
		Source: mail.Source{Client: netip.MustParseAddrPort("192.0.2.7:4711"), Login: "ann"},
	})
	return id
}

func mailbox(t testing.TB, s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b *book) tried(id mail.ID, fate mail.Fate, reply string) {
	b.t.Helper()
	code, text, _ := strings.Cut(reply, " ")
	var r smtp.Reply
	fmt.Sscan(code, &r.Code)
	r.Text = text
	b.note(id, &event.Attempt{To: mailbox(b.t, "bob@sina.example"), Outcome: mail.Outcome{Fate: fate, Reply: &r, Host: "mx.sina.example"}})
}

func (b *book) catchUp() {
	b.t.Helper()
	b.must(b.x.CatchUp(b.t.Context()))
}

// find searches, page by page.
func (b *book) find(words string, limit int) []mail.ID {
	b.t.Helper()
	var found []mail.ID
	for after := ""; ; {
		page, err := b.x.Find(b.t.Context(), Query{Words: words, After: after, Limit: limit})
		b.must(err)
		for _, m := range page.Found {
			found = append(found, m.ID)
		}
		if after = page.Next; after == "" {
			return found
		}
	}
}

// TestFind: what each kind of word finds, before and after the chapter is a file.
func TestFind(t *testing.T) {
	b := newBook(t, maxMessages)
	invoice := b.accept("ann@sohu.example", "bob@sina.example", "Invoice 4711, overdue")
	b.tried(invoice, mail.Deferred, "451 4.7.1 greylisted, come back")
	b.tried(invoice, mail.Relayed, "250 2.0.0 Ok: queued as 4F2A9C")
	spring := b.accept("carol@sohu.example", "dave@sina.example", "春天的消息")
	b.tried(spring, mail.Failed, "550 5.1.1 no such user here")
	report := b.accept("ann@example.org", "ann@sohu.example", "Re: invoices")
	b.catchUp()
	check := func() {
		t.Helper()
		for words, want := range map[string][]mail.ID{
			"":                       {report, spring, invoice},
			"ann@sohu.example":       {report, invoice},
			"from:ann@sohu.example":  {invoice},
			"from:sohu.example":      {spring, invoice},
			"FROM:Sohu.Example":      {spring, invoice},
			"to:sohu.example":        {report},
			"sina.example":           {spring, invoice},
			"from:ann@*":             {report, invoice},
			"invoice":                {invoice},
			"invoice*":               {report, invoice},
			"subject:4711":           {invoice},
			"subject:451":            nil,
			"reply:451":              {invoice},
			"reply:4.7.1":            {invoice},
			"reply:4.7*":             {invoice},
			"4F2A9C":                 {invoice},
			"4f2a*":                  {invoice},
			"greylisted overdue":     {invoice},
			"greylisted 春天":          nil,
			"春天":                     {spring},
			"天的消":                    {spring},
			"息":                      {spring},
			"消":                      {spring},
			"春消":                     nil,
			"fate:failed":            {spring},
			"fate:relayed":           {invoice},
			"host:mx.sina.example":   {spring, invoice},
			"mx.sina.example":        {spring, invoice},
			"client:192.0.2.7":       {report, spring, invoice},
			"login:ann to:dave@*":    {spring},
			"<1@sohu.example>":       {invoice},
			"id:1@sohu.example":      {invoice},
			invoice.String():         {invoice},
			mail.ID{1, 2}.String():   nil,
			"nothing-of-the-kind":    nil,
			"subject:invoice from:b": nil,
		} {
			if got := b.find(words, 1); !slices.Equal(got, want) {
				t.Errorf("%q finds %v, not %v", words, got, want)
			}
		}
	}
	check()
	b.must(b.x.finish())
	if len(b.x.files) != 1 || len(b.x.draft.ids) != 0 {
		t.Fatal("there is no file")
	}
	check()
	b.open(maxMessages)
	check()
}

// TestToldAgain: a message of which is told again later is found by all that is known of
// it, once, and where it was told of last.
func TestToldAgain(t *testing.T) {
	b := newBook(t, maxMessages)
	first := b.accept("ann@sohu.example", "bob@sina.example", "invoice")
	b.catchUp()
	b.must(b.x.finish())
	second := b.accept("ann@sohu.example", "bob@sina.example", "invoice")
	b.tried(first, mail.Failed, "550 no")
	if got := b.find("invoice", 50); !slices.Equal(got, []mail.ID{first}) {
		t.Errorf("before it is read, %v is found", got)
	}
	b.catchUp()
	for words, want := range map[string][]mail.ID{
		"invoice":             {first, second},
		"invoice fate:failed": {first},
	} {
		if got := b.find(words, 50); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, not %v", words, got, want)
		}
	}
}

// TestDamage: whatever becomes of the files, the index is made anew, and finds all.
func TestDamage(t *testing.T) {
	b := newBook(t, maxMessages)
	var all []mail.ID
	for range 4 {
		for range 20 {
			all = append([]mail.ID{b.accept("ann@sohu.example", "bob@sina.example", "invoice")}, all...)
		}
		b.catchUp()
		b.must(b.x.finish())
	}
	paths, err := filepath.Glob(filepath.Join(b.dir, "*"))
	b.must(err)
	whole, err := os.ReadFile(paths[1])
	b.must(err)
	for at := 0; at < len(whole); at += 61 {
		broken := slices.Clone(whole)
		broken[at] ^= 0x20
		b.must(os.WriteFile(paths[1], broken, 0o600))
		b.open(maxMessages)
		b.find("invoice", 10) // finds out
		b.find("", 10)
		b.catchUp()
		if got := b.find("invoice", 100); !slices.Equal(got, all) {
			t.Fatalf("with octet %d damaged %d of %d are found", at, len(got), len(all))
		}
	}
	for n := range len(whole) {
		b.must(os.WriteFile(paths[1], whole[:n], 0o600))
		b.must(os.WriteFile(filepath.Join(b.dir, "left.chapter.new"), whole[:n], 0o600))
		b.open(maxMessages)
		b.find("", 10)
		b.catchUp()
		if got := b.find("invoice", 100); !slices.Equal(got, all) {
			t.Fatalf("cut at %d, %d of %d are found", n, len(got), len(all))
		}
		if n > 20 {
			break
		}
	}
}

// TestAgainstReading: whatever is told, in chapters of any length, with restarts
// anywhere, a search finds what reading the whole journal does.
func TestAgainstReading(t *testing.T) {
	texts := []string{"red", "blue", "green", "red apple", "blue sky", "reddish", "蓝天", "天蓝色"}
	searches := []string{"", "red", "red*", "blue", "天", "蓝天", "reply:red", "subject:blue", "red blue", "fate:deferred", "fate:relayed red*", "gr*"}
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(batch+1, batch+20).Draw(rt, "most")
		b := newBook(t, most)
		subjects, replies, order := map[mail.ID]string{}, map[mail.ID][]string{}, []mail.ID{}
		told := func(id mail.ID) {
			order = append(slices.DeleteFunc(order, func(o mail.ID) bool { return o == id }), id)
		}
		for range rapid.IntRange(1, 200).Draw(rt, "steps") {
			switch n := rapid.IntRange(0, 19).Draw(rt, "step"); {
			case n == 0:
				b.open(most)
			case n < 4:
				b.catchUp()
			case n < 12 || len(order) == 0:
				subject := rapid.SampledFrom(texts).Draw(rt, "subject")
				id := b.accept("ann@sohu.example", "bob@sina.example", subject)
				subjects[id] = subject
				told(id)
			default:
				id := order[rapid.IntRange(0, len(order)-1).Draw(rt, "which")]
				fate := rapid.SampledFrom([]mail.Fate{mail.Deferred, mail.Relayed}).Draw(rt, "fate")
				reply := rapid.SampledFrom(texts).Draw(rt, "reply")
				b.tried(id, fate, "450 "+reply)
				replies[id] = append(replies[id], fate.String()+" "+reply)
				told(id)
			}
		}
		b.catchUp()
		for _, words := range searches {
			want := map[mail.ID]bool{}
			for id := range subjects {
				if holds(words, subjects[id], replies[id]) {
					want[id] = true
				}
			}
			got := b.find(words, rapid.IntRange(1, 60).Draw(rt, "limit"))
			for _, id := range got {
				if !want[id] {
					rt.Fatalf("%q finds %v (%q, %q), twice or wrongly", words, id, subjects[id], replies[id])
				}
				delete(want, id)
			}
			if len(want) > 0 {
				rt.Fatalf("%q does not find %v", words, want)
			}
		}
	})
}

// holds reads the texts themselves.
func holds(search, subject string, replies []string) bool {
	for _, word := range strings.Fields(search) {
		in := append([]string{subject}, replies...)
		if field, value, ok := strings.Cut(word, ":"); ok {
			word = value
			if field != "subject" {
				in = replies
			} else {
				in = in[:1]
			}
		}
		if !slices.ContainsFunc(in, func(text string) bool { return has(text, word) }) {
			return false
		}
	}
	return true
}

func has(text, word string) bool {
	stem, prefix := strings.CutSuffix(word, "*")
	for _, w := range strings.Fields(text) {
		if w == stem || prefix && strings.HasPrefix(w, stem) || dense([]rune(stem)[0]) && strings.Contains(w, stem) {
			return true
		}
	}
	return false
}
