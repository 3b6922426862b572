package pebblespool

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

func TestNamesSortAsTheirKeysDo(t *testing.T) {
	names := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00b", "a\x01", "ab", "b", "\xff"}
	for i, a := range names {
		key := appendName(nil, a)
		if got, rest := cutName(append(slices.Clone(key), "rest"...)); got != a || string(rest) != "rest" {
			t.Errorf("%q came back as %q, %q", a, got, rest)
		}
		for _, b := range names[i+1:] {
			other := appendName(nil, b)
			if bytes.Compare(key, other) >= 0 || bytes.HasPrefix(other, key) {
				t.Errorf("%q: %x, and %q: %x", a, key, b, other)
			}
		}
	}
}

// FuzzRecords: whatever is on the disk, reading it ends without harm, and what
// was read is written as it was read.
func FuzzRecords(f *testing.F) {
	id := mail.ID{1, 2, 3}
	to, err := smtp.ParseMailbox("bob@sina.example")
	if err != nil {
		f.Fatal(err)
	}
	env := &mail.Envelope{From: to, To: []mail.Recipient{{To: to, Original: smtp.Postmaster}}, Arrived: time.Unix(1, 2), Subject: "你好"}
	f.Add(appendEnvelope(nil, &head{size: 9, file: 7, recipients: 1, generation: 3}, env))
	st := &standing{generation: 4, Standing: spool.Standing{
		Fate: mail.Deferred, Due: time.Unix(5, 6), Destination: "mx", Attempts: 3,
		Last:  mail.Outcome{Fate: mail.Deferred, At: time.Unix(3, 0), Reply: smtp.Replyf(450, smtp.EnhancedCode{4, 2, 0}, "two\nlines"), Host: "mx"},
		Order: spool.Order{Verb: spool.Reroute, At: time.Unix(9, 0), By: "olga", Via: mail.Hop{Route: "r"}},
	}}
	f.Add(st.append(nil))
	f.Add([]byte(strings.Repeat("\xff", 40)))
	f.Fuzz(func(t *testing.T, record []byte) {
		if len(record) > 21 {
			record[17], record[18] = 0, 0 // a count that is no lie costs its memory
		}
		sealed := spool.Seal(slices.Clone(record), id[:])
		if m, h, err := readEnvelope(id, sealed); err == nil {
			again, _, err := readEnvelope(id, spool.Seal(appendEnvelope(nil, &h, m), id[:]))
			if err != nil || len(again.To) != len(m.To) || again.From != m.From || !again.Arrived.Equal(m.Arrived) || again.Subject != m.Subject {
				t.Errorf("%+v came back as %+v, %v", m, again, err)
			}
		}
		ref := spool.Ref{ID: id}
		if s, err := readStanding(ref, sealed); err == nil {
			again, err := readStanding(ref, spool.Seal(s.append(nil), id[:]))
			if err != nil || again.Destination != s.Destination || again.Fate != s.Fate || !again.Due.Equal(s.Due) || again.Order != s.Order {
				t.Errorf("%+v came back as %+v, %v", s, again, err)
			}
		}
		if _, err := cutFacts(1, record); err != nil && len(record) > 1<<20 {
			t.Error(err)
		}
		var c counts
		c.add(record)
		readPlace(record)
	})
}
