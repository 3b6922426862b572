package inbox

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzQuery: any search is understood or refused in words, and its terms can be asked.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "a", `from:"x y" -to:b`, "has:attachment is:read", "before:2d after:2026-11-23", `"`, "-", "--", "from:-", "a\x00b\xff"} {
		f.Add(s)
	}
	e := &entry{from: "bob", words: "some words"}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQueryAt(s, time.Unix(1e9, 0))
		if err != nil && !q.IsZero() {
			t.Error("refused, and yet there is a query")
		}
		q.fits(e)
	})
}

// FuzzRecord: a damaged record is passed over, never believed to be another message's.
func FuzzRecord(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "inbox")
	if err := os.Mkdir(dir, 0o700); err != nil {
		f.Fatal(err)
	}
	const name = "06h0evdm1pejxx1xbkbg"
	d, err := openDisk(filepath.Dir(dir), nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "{}", `{"message":{"id":"` + name + `","inbox":"inbox"}}`, `{"dialogue":[{"who":"C"}]}`, `{"message":{"source":{"client":"1.2.3.4:5"}}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path := filepath.Join(dir, name+recordEnding)
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		d.log = slog.New(slog.DiscardHandler)
		if r := d.recordOf(dir, name); r != nil && (r.Message.ID.String() != name || r.Message.Inbox != "inbox") {
			t.Errorf("%+v", r.Message)
		}
	})
}
