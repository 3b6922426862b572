package senderauth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
)

func TestParseTagList(t *testing.T) {
	l, err := senderauth.ParseTagList(" v=1; p = a b\r\n c== ;n=;")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"v": "1", "p": "a b\r\n c==", "n": ""} {
		if got, ok := l.Get(name); !ok || got != want {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}
	if _, ok := l.Get("V"); ok {
		t.Error("case does not count")
	}
	for name, bad := range map[string]string{
		"empty": "", "no value": "v", "no name": "=1", "a bad name": "1v=1", "two semicolons": "v=1;;", "twice": "v=1; v=1",
		"a control character": "v=\x01", "too many": strings.Repeat("a=1;", 65), "too long": "v=" + strings.Repeat("1", 1<<17),
	} {
		if _, err := senderauth.ParseTagList(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParseKey(t *testing.T) {
	for record, want := range map[string]error{
		"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=":                                        nil,
		"v=DKIM1;k=ed25519;t=y:s;s=email:x;h=sha1:sha256;p=11qYAYKxCrfVS/7TyWQ HOg7hcvPapiMlrwIaaPcHURo=;": nil,
		"v=DKIM1; p=": senderauth.ErrKeyRevoked,
		"k=ed25519; v=DKIM1; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=": senderauth.ErrKeySyntax,
		"v=DKIM2; p=MA==":     senderauth.ErrKeySyntax,
		"v=spf1 -all":         senderauth.ErrKeySyntax,
		"k=ed25519; p=MAAA":   senderauth.ErrKeySyntax,
		"k=rsa; p=MAAA":       senderauth.ErrKeySyntax,
		"k=dsa; p=MAAA":       senderauth.ErrKeySyntax,
		"v=DKIM1; k=rsa; p=!": senderauth.ErrKeySyntax,
		"p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALRiMLAh9iimur8VA7qVvdqxevEuUkW4K+2KdMXmnQbG9Aa7k7eBjK1S+0LYmVjPKlJGNXHDGuy5Fw/dIRFQ9Q0CAwEAAQ==": senderauth.ErrKeySyntax, // 512 bits
	} {
		key, err := senderauth.ParseKey(record)
		if !errors.Is(err, want) || (err == nil) != (key != nil) {
			t.Errorf("%s: %v", record, err)
		}
	}
}

// FuzzParseKey looks for records that make the parser panic, or that we could
// not publish ourselves.
func FuzzParseKey(f *testing.F) {
	f.Add("v=DKIM1; k=ed25519; t=y:s; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	f.Add("p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALRiMLAh9iimur8VA7qVvdqxevEuUkW4K+2KdMXmnQbG9Aa7k7eBjK1S+0LYmVjPKlJGNXHDGuy5Fw/dIRFQ9Q0CAwEAAQ==")
	f.Fuzz(func(t *testing.T, record string) {
		key, err := senderauth.ParseKey(record)
		if err != nil {
			return
		}
		printed, err := senderauth.FormatKey(key.Public)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := senderauth.ParseKey(printed); err != nil {
			t.Errorf("%q: %v", printed, err)
		}
	})
}
