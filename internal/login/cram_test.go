package login_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"regexp"
	"slices"
	"testing"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/login"
)

// oldDevice is who may come in by CRAM-MD5.
var oldDevice = login.Visitor{Client: client, TLS: secure, CRAMMD5: true}

// TestCRAMIsOffered: where it is wanted, under TLS, and where accounts can be found; and last.
func TestCRAMIsOffered(t *testing.T) {
	for _, x := range []struct {
		accounts directory.Accounts
		visitor  login.Visitor
		want     bool
	}{
		{finders{newPeople()}, oldDevice, true},
		{finders{newPeople()}, login.Visitor{Client: client, TLS: secure}, false},
		{finders{newPeople()}, login.Visitor{Client: client, CRAMMD5: true}, false},
		{newPeople(), oldDevice, false},
	} {
		offered := login.New(login.Options{Accounts: x.accounts}).Mechanisms(&x.visitor)
		if at := slices.Index(offered, "CRAM-MD5"); x.want && at != len(offered)-1 || !x.want && at >= 0 {
			t.Errorf("offered are %v", offered)
		}
	}
}

// cram logs in by CRAM-MD5, with an answer made of the challenge.
func cram(t *testing.T, d *login.Door, answer func(challenge string) string) string {
	t.Helper()
	x := d.Begin(t.Context(), "CRAM-MD5", oldDevice)
	challenge, done, err := x.Next(nil)
	if done || err != nil || !regexp.MustCompile(`^<[A-Z2-7]{26}@posthouse>$`).Match(challenge) {
		t.Fatalf("the challenge is %q, %v, %v", challenge, done, err)
	}
	_, done, err = x.Next([]byte(answer(string(challenge))))
	return told(t, x, done, err)
}

// as answers as somebody with a password does.
func as(name, word string) func(string) string {
	return func(challenge string) string {
		mac := hmac.New(md5.New, []byte(word))
		mac.Write([]byte(challenge))
		return name + " " + hex.EncodeToString(mac.Sum(nil))
	}
}

func is(text string) func(string) string { return func(string) string { return text } }

func TestCRAM(t *testing.T) {
	last := ""
	for _, x := range []struct {
		name   string
		answer func(string) string
		want   string
	}{
		{"right", as("joe", "tiger-canary"), "in"},
		{"in another case", as("Joe", "tiger-canary"), "in"},
		{"wrong", as("joe", "lion-canary"), wrong},
		{"nobody", as("nobody", "tiger-canary"), wrong},
		{"somebody for whom nothing is kept", as("nothing", ""), wrong},
		{"to another challenge", func(string) string { return as("joe", "tiger-canary")(last) }, wrong},
		{"a name alone", is("joe"), "535 the exchange is malformed"},
		{"no answer", is("joe "), wrong},
		{"no name", as("", "tiger-canary"), "535 the name is empty or too long"},
		{"nothing", is(""), "535 the exchange is malformed"},
	} {
		d := login.New(login.Options{Accounts: finders{newPeople()}})
		got := cram(t, d, func(challenge string) string {
			said := x.answer(challenge)
			if challenge == last {
				t.Error("a challenge is asked twice")
			}
			last = challenge
			return said
		})
		if got != x.want {
			t.Errorf("%s: %s", x.name, got)
		}
	}
}

// TestCRAMUnasked: who answers before anything was asked is not let in, even by an answer
// to nothing.
func TestCRAMUnasked(t *testing.T) {
	x := login.New(login.Options{Accounts: finders{newPeople()}}).Begin(t.Context(), "CRAM-MD5", oldDevice)
	_, done, err := x.Next([]byte(as("joe", "tiger-canary")("")))
	if got := told(t, x, done, err); got != "535 the exchange is malformed" {
		t.Error(got)
	}
}

// TestCRAMIsBudgeted: failures count like those of other mechanisms, whoever is tried.
func TestCRAMIsBudgeted(t *testing.T) {
	for _, name := range []string{"joe", "nobody"} {
		d := login.New(login.Options{Accounts: finders{newPeople()}})
		for range 20 {
			cram(t, d, as(name, "lion-canary"))
		}
		if got := cram(t, d, as(name, "tiger-canary")); got != tooMany {
			t.Errorf("%s, after too many failures: %s", name, got)
		}
	}
}

func FuzzCRAM(f *testing.F) {
	f.Add("joe 00000000000000000000000000000000")
	f.Fuzz(func(t *testing.T, said string) {
		d := login.New(login.Options{Accounts: finders{newPeople()}})
		x := d.Begin(context.Background(), "CRAM-MD5", oldDevice)
		if _, _, err := x.Next(nil); err != nil {
			t.Fatal(err)
		}
		if _, done, _ := x.Next([]byte(said)); done || x.Account() != nil {
			t.Errorf("%q is let in", said)
		}
	})
}
