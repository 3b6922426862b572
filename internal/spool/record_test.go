package spool

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

func recordPath(t testing.TB, s string) smtp.Path {
	t.Helper()
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func aRecord(t testing.TB) (*mail.Envelope, *Standing) {
	bob, eve := recordPath(t, "bob@sina.example"), recordPath(t, "eve@sina.example")
	env := &mail.Envelope{From: bob, To: []mail.Recipient{
		{To: bob, Original: smtp.Postmaster, Into: "|x", Origin: mail.Origin{File: "f", Line: 3}}, {To: bob, Original: bob}, {To: bob, Original: eve, Junk: true},
	}, Arrived: time.Unix(1, 2), Subject: "你好"}
	st := &Standing{
		Fate: mail.Deferred, Due: time.Unix(5, 6), Destination: "mx", Attempts: 3,
		Last:  mail.Outcome{Fate: mail.Deferred, At: time.Unix(3, 0), Reply: smtp.Replyf(450, smtp.EnhancedCode{4, 2, 0}, "two\nlines"), Host: "mx"},
		Order: Order{Verb: Reroute, At: time.Unix(9, 0), By: "olga", Via: mail.Hop{Route: "r"}},
	}
	return env, st
}

// TestRecordsAreWrittenAsEver: disks have records like these, of the first release.
func TestRecordsAreWrittenAsEver(t *testing.T) {
	env, st := aRecord(t)
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"envelope", AppendEnvelope(nil, env), "20626f624073696e612e6578616d706c6584a8d6b9070000000000000000000ce4bda0e5a5bd0000000000000020626f624073696e612e6578616d706c650814" +
			"706f73746d6173746572000000047c780266060020626f624073696e612e6578616d706c65020000000020626f624073696e612e6578616d706c6520206576654073696e612e6578616d706c65000000"},
		{"standing", AppendStanding(nil, st), "068cc8afa025046d78060006020080f882ad16000284070804001274776f0a6c696e657300046d780000000880e8888743086f6c67610002720000000000"},
	} {
		want, err := hex.DecodeString(c.want)
		if err != nil || !bytes.Equal(c.got, want) {
			t.Errorf("%s: %x, %v", c.name, c.got, err)
		}
	}
}

// FuzzRecord: whatever is on a disk, reading it ends without harm, and what was read is
// written as it was read.
func FuzzRecord(f *testing.F) {
	env, st := aRecord(f)
	f.Add(AppendEnvelope(nil, env))
	f.Add(AppendStanding(nil, st))
	f.Fuzz(func(t *testing.T, record []byte) {
		if e, err := ReadEnvelope(record, 3); err == nil {
			again, err := ReadEnvelope(AppendEnvelope(nil, e), 3)
			if err != nil || again.From != e.From || !again.Arrived.Equal(e.Arrived) || again.To[2] != e.To[2] {
				t.Errorf("%+v came back as %+v, %v", e, again, err)
			}
		}
		if s, err := ReadStanding(record, 1); err == nil {
			again, err := ReadStanding(AppendStanding(nil, &s), 1)
			if err != nil || again.Destination != s.Destination || again.Order != s.Order || !again.Due.Equal(s.Due) {
				t.Errorf("%+v came back as %+v, %v", s, again, err)
			}
		}
		if b, err := Unseal(record, []byte("key")); err == nil && !bytes.Equal(Seal(bytes.Clone(b), []byte("key")), record) {
			t.Errorf("%x is not sealed as it was", record)
		}
	})
}
