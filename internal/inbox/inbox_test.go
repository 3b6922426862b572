package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

func open(t testing.TB, o inbox.Options) *inbox.Store {
	t.Helper()
	s, err := inbox.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func path(t testing.TB, s string) smtp.Path {
	t.Helper()
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// put puts a message into an inbox; its subject and text are what is said.
func put(t testing.TB, s *inbox.Store, name, subject, text string) inbox.Message {
	t.Helper()
	source := "From: Bob <bob@sohu.com>\r\nTo: jane@example.org\r\nSubject: " + subject + "\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n" + text
	m, err := s.Put(t.Context(), inbox.Arrival{Inbox: name, From: path(t, "bounce@sohu.com"), To: []smtp.Path{path(t, "jane+x@example.org")}}, strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// subjects lists what fits a query, the newest first.
func subjects(t testing.TB, s *inbox.Store, name, query string) string {
	t.Helper()
	q, err := inbox.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range s.List(name, q, mail.ID{}, 100).Messages {
		all = append(all, m.Subject)
	}
	return strings.Join(all, " ")
}

// TestKeptOverARestart: what was put is there again, read marks and dialogues too.
func TestKeptOverARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "inbox")
	s := open(t, inbox.Options{Dir: dir})
	a := put(t, s, "Shop/../é", "one", "first words")
	put(t, s, "", "two", "")
	said := []inbox.Line{{At: time.Unix(1, 0).UTC(), Who: inbox.Client, Text: "QUIT"}}
	if err := errors.Join(s.Mark(a.Inbox, a.ID, true), s.Continue("", a.ID, said)); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()

	s = open(t, inbox.Options{Dir: dir})
	got, err := s.Get("Shop/../é", a.ID)
	if err != nil || !got.Read || got.Subject != "one" || got.From != "bounce@sohu.com" || got.Author != "Bob <bob@sohu.com>" || got.Snippet != "first words" {
		t.Errorf("%+v, %v", got, err)
	}
	lines, err := s.Dialogue("", a.ID)
	if err != nil || len(lines) != 1 || lines[0] != said[0] {
		t.Errorf("%v, %v", lines, err)
	}
	if got := fmt.Sprint(s.Inboxes()[0].Name, " ", s.Inboxes()[0].Unread, " ", s.Inboxes()[1].Name, " ", s.Inboxes()[1].Unread); got != "inbox 1 shop/../é 0" {
		t.Error(got)
	}
	l, err := s.Letter(t.Context(), "", a.ID)
	if err != nil || l.Text() != "first words" || l.Subject != "one" {
		t.Errorf("%+v, %v", l, err)
	}
	f, err := s.Open("", a.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	source, err := io.ReadAll(f)
	if err != nil || !strings.HasSuffix(string(source), "\r\n\r\nfirst words") {
		t.Errorf("%q, %v", source, err)
	}
	if subjects(t, s, "", "words") != "one" {
		t.Error("the words are not found again")
	}
}

// TestHalfWritten: what a crash left half-way is cleared away, and a record that is
// not ours is passed over without touching its message.
func TestHalfWritten(t *testing.T) {
	dir := t.TempDir()
	s := open(t, inbox.Options{Dir: dir})
	m := put(t, s, "", "whole", "")
	_ = s.Close()
	folder := filepath.Join(dir, "inbox")
	stray := strings.Replace(m.ID.String(), m.ID.String()[:2], "00", 1)
	for name, text := range map[string]string{
		stray + ".eml": "never promised", stray + ".eml.new": "half",
		"01" + stray[2:] + ".json": "{", "01" + stray[2:] + ".eml": "damaged record",
		"02" + stray[2:] + ".json": `{"message":{"id":"` + m.ID.String() + `","inbox":"inbox"}}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, inbox.Options{Dir: dir})
	if got := subjects(t, s, "", ""); got != "whole" {
		t.Errorf("there is %q", got)
	}
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(left) != 5 { // two of the message, two of the damaged record, one of the stranger's
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestSearch is the search language, a line for each of its words.
func TestSearch(t *testing.T) {
	s := open(t, inbox.Options{})
	put(t, s, "a", "Hello", "The big  sale\r\nbegins")
	put(t, s, "a", "Rechnung-März", "nothing")
	html := "From: eve@evil.example\r\nTo: \"Jane X\" <j@x.test>\r\nCc: carl@x.test\r\nMessage-ID: <m1@evil.example>\r\nSubject: files\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/html\r\n\r\n<p>Click <b>here</b></p>\r\n--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n"
	m, err := s.Put(t.Context(), inbox.Arrival{Inbox: "b", Source: mail.Source{Login: "Eve", Listener: "dev"}}, strings.NewReader(html))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Mark("b", m.ID, true); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"":                       "files Rechnung-März Hello",
		"from:BOB":               "Rechnung-März Hello",
		"from:bounce@":           "Rechnung-März Hello",
		"-from:bob":              "files",
		"to:jane+x":              "Rechnung-März Hello",
		`to:"jane x"`:            "files",
		"subject:märz":           "Rechnung-März",
		"subject:sale":           "",
		`"big sale"`:             "Hello",
		`"sale big"`:             "",
		"sale big":               "Hello",
		"BIG -sale":              "",
		"click here":             "files",
		"has:attachment":         "files",
		"-has:attachment":        "Rechnung-März Hello",
		"is:unread hello":        "Hello",
		"is:read":                "files",
		"login:eve":              "files",
		"message-id:m1@":         "files",
		"cc:carl":                "files",
		"addressed:eve@":         "files",
		"addressed:jane":         "files Rechnung-März Hello",
		"larger:0k smaller:1m":   "files Rechnung-März Hello",
		"smaller:200b":           "Rechnung-März Hello",
		"larger:200":             "files",
		"listener:dev":           "files",
		"after:1h":               "files Rechnung-März Hello",
		"before:1h":              "",
		"before:2001-01-01":      "",
		"after:2001-01-01T10:00": "files Rechnung-März Hello",
		"http:sale":              "",
		`""`:                     "files Rechnung-März Hello",
		"- hello":                "",
	} {
		if got := subjects(t, s, "", query); got != want {
			t.Errorf("%s finds %q, not %q", query, got, want)
		}
	}
	if got := subjects(t, s, "A", ""); got != "Rechnung-März Hello" {
		t.Errorf("the inbox a has %q", got)
	}
	for query, want := range map[string]string{
		"from:":                   "wants a value",
		`"open`:                   "is open",
		"has:wings":               "has: is followed by",
		"is:odd":                  "is: is followed by",
		"before:later":            "neither a time",
		"larger:big":              "larger: is followed by a size",
		strings.Repeat("a ", 31):  "30 words",
		strings.Repeat("a", 1001): "1000 characters",
	} {
		if _, err := inbox.ParseQuery(query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestSearchElsewhere: dates are those of the place from which one asks.
func TestSearchElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight in London, on the first of January 2000
		s := open(t, inbox.Options{})
		put(t, s, "", "one", "")
		for zone, want := range map[string]int{"UTC": 1, "Asia/Shanghai": 1, "America/New_York": 0} {
			place, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			q, err := inbox.ParseQueryAt("after:2000-01-01", time.Now().In(place))
			if got := s.List("", q, mail.ID{}, 1).Found; err != nil || got != want {
				t.Errorf("in %s %d are found, want %d: %v", zone, got, want, err)
			}
		}
	})
}

// TestPages: pages follow each other without a gap, though mail comes in between.
func TestPages(t *testing.T) {
	s := open(t, inbox.Options{})
	for i := range 7 {
		put(t, s, "", fmt.Sprint(i), "")
	}
	seen, before := "", mail.ID{}
	for {
		p := s.List("", inbox.Query{}, before, 3)
		for _, m := range p.Messages {
			seen += m.Subject
			before = m.ID
		}
		put(t, s, "", "late", "")
		if !p.More {
			break
		}
	}
	if seen != "6543210" {
		t.Errorf("saw %s", seen)
	}
}

// TestKeep: the oldest go, by number in one inbox and in all, by octets, by the number of
// inboxes, and their files with them.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	s := open(t, inbox.Options{Dir: dir, Keep: inbox.Keep{Messages: 3, All: 5, Inboxes: 3}})
	for _, m := range []string{"a1", "a2", "a3", "a4", "b1", "b2", "b3", "c1", "c2"} {
		put(t, s, m[:1], m, "")
	}
	if got := subjects(t, s, "", ""); got != "c2 c1 b3 b2 b1" {
		t.Errorf("kept %s", got)
	}
	put(t, s, "d", "d1", "")
	put(t, s, "e", "e1", "")
	if got := subjects(t, s, "", ""); got != "e1 d1 c2 c1" {
		t.Errorf("kept %s", got)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	if len(files) != 8 {
		t.Errorf("%d files are left", len(files))
	}

	s = open(t, inbox.Options{Keep: inbox.Keep{Octets: 1000}})
	for i := range 10 {
		put(t, s, "", fmt.Sprint(i), strings.Repeat("x", 200))
	}
	if got := subjects(t, s, "", ""); got != "9 8 7" {
		t.Errorf("kept %s", got)
	}
}

// TestKeepByAge: old mail goes although nothing comes.
func TestKeepByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, inbox.Options{Keep: inbox.Keep{Age: time.Hour}})
		put(t, s, "", "old", "")
		time.Sleep(59 * time.Minute)
		put(t, s, "", "new", "")
		if got := subjects(t, s, "", ""); got != "new old" {
			t.Errorf("kept %s", got)
		}
		changed := s.Changed()
		<-changed
		if got := subjects(t, s, "", ""); got != "new" {
			t.Errorf("kept %s", got)
		}
	})
}

// TestKeepOfOneInbox: by number and by age, of some inboxes other than of the rest, whatever comes
// elsewhere; the first that names one counts.
func TestKeepOfOneInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, inbox.Options{Keep: inbox.Keep{Messages: 3, Age: 10 * time.Hour, Boxes: []inbox.KeepBox{
			{Name: "ci-nightly", Messages: -1, Age: -1},
			{Name: "ci-*", Messages: 1},
			{Name: "short", Age: time.Hour},
		}}})
		for _, m := range []string{"1", "2", "3", "4"} {
			for _, box := range []string{"ci-nightly", "ci-x", "short", "ci"} {
				put(t, s, box, m, "")
			}
		}
		for _, x := range []struct {
			after time.Duration
			want  string
		}{
			{0, "4 3 2 1/4/4 3 2/4 3 2"},
			{2 * time.Hour, "4 3 2 1/4//4 3 2"},
			{10 * time.Hour, "4 3 2 1///"},
		} {
			time.Sleep(x.after)
			synctest.Wait()
			var got []string
			for _, box := range []string{"ci-nightly", "ci-x", "short", "ci"} {
				got = append(got, subjects(t, s, box, ""))
			}
			if got := strings.Join(got, "/"); got != x.want {
				t.Errorf("after another %v: kept %s, want %s", x.after, got, x.want)
			}
		}
		put(t, s, "ci-x", "5", "") // one that was empty has its limits still
		put(t, s, "ci-x", "6", "")
		if got := subjects(t, s, "ci-x", ""); got != "6" {
			t.Errorf("kept %s", got)
		}
	})
}

// TestDelete: what is deleted is gone, its counts and its file too.
func TestDelete(t *testing.T) {
	dir := t.TempDir()
	s := open(t, inbox.Options{Dir: dir})
	a, b := put(t, s, "", "a", ""), put(t, s, "", "b", "")
	put(t, s, "other", "c", "")
	if n := s.Delete("other", a.ID); n != 0 {
		t.Errorf("%d deleted in an inbox that does not have it", n)
	}
	if n := s.Delete("", a.ID, a.ID, mail.ID{}); n != 1 {
		t.Errorf("%d deleted", n)
	}
	if _, err := s.Open("", a.ID); !errors.Is(err, inbox.ErrNotFound) {
		t.Error(err)
	}
	if err := s.Mark("", a.ID, true); !errors.Is(err, inbox.ErrNotFound) {
		t.Error(err)
	}
	q, _ := inbox.ParseQuery("subject:b")
	if n := s.DeleteAll("inbox", q); n != 1 {
		t.Errorf("%d deleted", n)
	}
	if _, err := s.Get("", b.ID); !errors.Is(err, inbox.ErrNotFound) {
		t.Error(err)
	}
	if s.DeleteAll("", inbox.Query{}) != 1 || len(s.Inboxes()) != 0 {
		t.Errorf("%v is left", s.Inboxes())
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
}

// TestWait: a message that is there is found, one that comes wakes who waits, and what
// came before since is not taken for it.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, inbox.Options{})
		first := put(t, s, "a", "first", "")
		q := inbox.To("JANE").And(inbox.Subject("first")).And(inbox.From("bob"))
		if m, err := s.Wait(t.Context(), "a", q, mail.ID{}); err != nil || m.ID != first.ID {
			t.Errorf("%v, %v", m, err)
		}
		go func() {
			time.Sleep(time.Minute)
			put(t, s, "b", "first of another inbox", "")
			put(t, s, "a", "second", "")
			time.Sleep(time.Minute)
			put(t, s, "a", "first again", "")
		}()
		m, err := s.Wait(t.Context(), "a", q, first.ID)
		if err != nil || m.Subject != "first again" {
			t.Errorf("%v, %v", m, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Wait(ctx, "nowhere", inbox.Query{}, mail.ID{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		go func() {
			time.Sleep(time.Minute)
			_ = s.Close()
		}()
		if _, err := s.Wait(t.Context(), "nowhere", inbox.Query{}, mail.ID{}); !errors.Is(err, inbox.ErrClosed) {
			t.Error(err)
		}
	})
}

// TestFaults: a text that cannot be read is not kept, and neither is one that is too
// large.
func TestFaults(t *testing.T) {
	dir := t.TempDir()
	s := open(t, inbox.Options{Dir: dir})
	broken := errors.New("cut")
	if _, err := s.Put(t.Context(), inbox.Arrival{}, io.MultiReader(strings.NewReader("Subject: x\r\n"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := s.Put(t.Context(), inbox.Arrival{}, io.LimitReader(zeros{}, inbox.MaxMessage+1)); !errors.Is(err, inbox.ErrTooLarge) {
		t.Error(err)
	}
	_ = s.Close()
	if _, err := s.Put(t.Context(), inbox.Arrival{}, strings.NewReader("\r\n")); !errors.Is(err, inbox.ErrClosed) {
		t.Error(err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestNames: which inboxes a message goes to.
func TestNames(t *testing.T) {
	to := func(all ...string) (paths []smtp.Path) {
		for _, s := range all {
			paths = append(paths, path(t, s))
		}
		return paths
	}
	jane := &mail.Source{Login: "Jane", Listener: "dev"}
	nobody := &mail.Source{Listener: "dev"}
	for _, c := range []struct {
		by     inbox.By
		source *mail.Source
		to     []smtp.Path
		want   string
	}{
		{0, jane, to("a+b@c.test"), "[inbox]"},
		{inbox.ByLogin | inbox.ByTag, jane, to("a+b@c.test"), "[jane]"},
		{inbox.ByLogin | inbox.ByTag, nobody, to("a+B@c.test", "x+b@c.test", "x+d@c.test", "y@c.test"), "[b d inbox]"},
		{inbox.ByRecipient, nobody, to("A+b@c.test"), "[a+b@c.test]"},
		{inbox.ByTag | inbox.ByRecipient, nobody, to("a+b@c.test", "d@c.test"), "[b d@c.test]"},
		{inbox.ByListener, nobody, to("a+b@c.test"), "[dev]"},
		{inbox.ByTag, nobody, to("a+@c.test"), "[inbox]"},
		{inbox.ByTag, nobody, nil, "[inbox]"},
	} {
		if got := fmt.Sprint(c.by.Names(c.source, c.to, "")); got != c.want {
			t.Errorf("%+v: %s, not %s", c, got, c.want)
		}
	}
	long := inbox.Fold(strings.Repeat("Ä", 200))
	if len(long) > 100 || long == inbox.Fold(strings.Repeat("ä", 201)) || inbox.Fold(long) != long {
		t.Error(long)
	}
}

// TestDialogueIsBounded: of a long one its beginning and its end are kept.
func TestDialogueIsBounded(t *testing.T) {
	s := open(t, inbox.Options{})
	var lines []inbox.Line
	for i := range 5000 {
		lines = append(lines, inbox.Line{Who: inbox.Server, Text: fmt.Sprint(i, " ", strings.Repeat("x", 1000))})
	}
	m, err := s.Put(t.Context(), inbox.Arrival{Dialogue: lines}, strings.NewReader("\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Dialogue("", m.ID)
	if err != nil || len(got) != 401 || got[200].Text != "4600 lines are left out" || !strings.HasPrefix(got[400].Text, "4999 ") || len(got[0].Text) > 500 {
		t.Errorf("%d lines, %v", len(got), err)
	}
}
