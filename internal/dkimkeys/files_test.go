package dkimkeys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/plainfile"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dkim"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestKeysSign: keys that were made and read again sign mail, and their records verify it.
func TestKeysSign(t *testing.T) {
	dir := filepath.Join(t.TempDir(), Folder)
	made, err := MakePair(dir, "sohu.test", noon)
	if err != nil {
		t.Fatal(err)
	}
	err = Edit(dir, "sohu.test", func(all []Entry) ([]Entry, error) {
		return Added(all, []string{made[0].Selector, made[1].Selector}, noon, Pace{}), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := Read(plainfile.Disk{}, dir, "sohu.test")
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	wanted := []string{"rsa-20261123._domainkey.sohu.test", "ed25519-20261123._domainkey.sohu.test"}
	algorithms := []senderauth.Algorithm{senderauth.RSASHA256, senderauth.Ed25519SHA256}
	for i := range keys {
		k := &keys[i]
		if k.Name() != wanted[i] || k.Algorithm() != algorithms[i] || k.Stage(noon) != Signing {
			t.Errorf("%s by %s is %s", k.Name(), k.Algorithm(), k.Stage(noon))
		}
		public, err := senderauth.ParseKey(k.Record())
		if err != nil {
			t.Fatal(err)
		}
		text := []byte("From: li@sohu.test\r\n\r\nHello.\r\n")
		field, err := dkim.Sign(bytes.NewReader(text), dkim.Key{Domain: k.Domain, Selector: k.Selector, Signer: k.Signer})
		if err != nil || !strings.Contains(string(field), "s="+k.Selector) {
			t.Errorf("%s, %v", field, err)
		}
		if alg, err := senderauth.AlgorithmOf(public.Public); err != nil || alg != k.Algorithm() {
			t.Errorf("the record is of %s, %v", alg, err)
		}
		info, err := os.Stat(keyFile(dir, "sohu.test", k.Selector))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	if _, err := Make(dir, "sohu.test", "one", senderauth.Ed25519SHA256); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(keyFile(dir, "sohu.test", "one"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Make(dir, "sohu.test", "one", senderauth.Ed25519SHA256); !errors.Is(err, fs.ErrExist) {
		t.Errorf("it was made again: %v", err)
	}
	after, err := os.ReadFile(keyFile(dir, "sohu.test", "one"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("it has changed, %v", err)
	}
	// The next pair of a day has other names.
	for _, want := range []string{"ed25519-20261123", "ed25519-20261123b"} {
		pair, err := MakePair(dir, "sohu.test", noon)
		if err != nil || pair[1].Selector != want {
			t.Errorf("%v, %v, want %s", pair, err, want)
		}
	}
}

func TestWhatIsForgottenIsGone(t *testing.T) {
	dir := t.TempDir()
	add := func(selector string) {
		_, err := Make(dir, "sohu.test", selector, senderauth.Ed25519SHA256)
		if err == nil {
			err = Edit(dir, "sohu.test", func(all []Entry) ([]Entry, error) {
				return append(all, Entry{Selector: selector, From: noon}), nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("one")
	add("two")
	refused := errors.New("no")
	if err := Edit(dir, "sohu.test", func([]Entry) ([]Entry, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	if keys, err := Read(plainfile.Disk{}, dir, "sohu.test"); len(keys) != 2 {
		t.Fatalf("%d keys, %v, after a change that was none", len(keys), err)
	}
	if err := Edit(dir, "sohu.test", func(all []Entry) ([]Entry, error) { return all[1:], nil }); err != nil {
		t.Fatal(err)
	}
	keys, err := Read(plainfile.Disk{}, dir, "sohu.test")
	if err != nil || len(keys) != 1 || keys[0].Selector != "two" {
		t.Errorf("%v, %v", keys, err)
	}
	if _, err := os.Stat(keyFile(dir, "sohu.test", "one")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	if names, err := Domains(dir); err != nil || len(names) != 1 || names[0] != "sohu.test" {
		t.Errorf("%q, %v", names, err)
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	for _, name := range []string{"", "..", "a/b", "."} {
		if _, err := Make(t.TempDir(), name, "one", senderauth.Ed25519SHA256); err == nil {
			t.Errorf("there are keys for the domain %q", name)
		}
	}
	dir := t.TempDir()
	if err := Edit(dir, "sohu.test", func(all []Entry) ([]Entry, error) {
		return append(all, Entry{Selector: "one"}), nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(plainfile.Disk{}, dir, "sohu.test"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key without a file: %v", err)
	}
	for text, want := range map[string]string{
		"":    "no key in PEM form",
		"key": "no key in PEM form",
		"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n":         "no private key that can be read",
		"-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n": "no private key that can be read",
	} {
		if err := os.WriteFile(keyFile(dir, "sohu.test", "one"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(plainfile.Disk{}, dir, "sohu.test")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "one.pem") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestTwoEditsAreOneAfterTheOther(t *testing.T) {
	dir := t.TempDir()
	const many = 20
	done := make(chan error, many)
	for i := range many {
		go func() {
			done <- Edit(dir, "sohu.test", func(all []Entry) ([]Entry, error) {
				return append(all, Entry{Selector: "s" + string(rune('a'+i))}), nil
			})
		}()
	}
	for range many {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if all, err := readIndex(plainfile.Disk{}, dir, "sohu.test"); err != nil || len(all) != many {
		t.Errorf("%d entries, %v", len(all), err)
	}
}
