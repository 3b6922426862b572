// Package senderauth measures signatures of DKIM beside those of another library, and what it costs a
// house to judge what it takes in.
package senderauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dkim"
)

// letter is a message of about 4 KB.
var letter = "From: Li Na <li@sina.com>\r\nTo: Zhang Wei <zhang@sohu.com>\r\nSubject: figures\r\n" +
	"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@sina.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" +
	strings.Repeat("How many letters in a second? This many, and some more.\r\n", 70)

// answers is a DNS that knows one text for each name.
type answers map[string]string

func (a answers) LookupTXT(_ context.Context, name string) ([]string, error) {
	if txt, ok := a[strings.TrimSuffix(name, ".")]; ok {
		return []string{txt}, nil
	}
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (answers) LookupMX(context.Context, string) ([]*net.MX, error) { return nil, nil }

func (answers) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }

func (answers) LookupAddr(context.Context, string) ([]string, error) { return nil, nil }

// keys are one of each kind, and the DNS that has them.
func keys(tb testing.TB) (map[string]crypto.Signer, answers) {
	tb.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]crypto.Signer{"ed25519": ed, "rsa": big}
	zone := answers{}
	for name, key := range all {
		if zone[name+"._domainkey.sina.com"], err = senderauth.FormatKey(key.Public()); err != nil {
			tb.Fatal(err)
		}
	}
	return all, zone
}

func sign(tb testing.TB, selector string, key crypto.Signer) string {
	tb.Helper()
	fields, err := dkim.Sign(strings.NewReader(letter), dkim.Key{Domain: "sina.com", Selector: selector, Signer: key})
	if err != nil {
		tb.Fatal(err)
	}
	return string(fields) + letter
}

func BenchmarkSign(b *testing.B) {
	all, _ := keys(b)
	for _, kind := range []string{"ed25519", "rsa"} {
		b.Run(kind+"/posthouse", func(b *testing.B) {
			done := cpu(b)
			for b.Loop() {
				sign(b, kind, all[kind])
			}
			done()
		})
		b.Run(kind+"/go-msgauth", func(b *testing.B) {
			o := &msgauth.SignOptions{
				Domain: "sina.com", Selector: kind, Signer: all[kind],
				HeaderCanonicalization: msgauth.CanonicalizationRelaxed, BodyCanonicalization: msgauth.CanonicalizationRelaxed,
			}
			done := cpu(b)
			for b.Loop() {
				if err := msgauth.Sign(io.Discard, strings.NewReader(letter), o); err != nil {
					b.Fatal(err)
				}
			}
			done()
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	all, zone := keys(b)
	for _, kind := range []string{"ed25519", "rsa"} {
		signed := []byte(sign(b, kind, all[kind]))
		b.Run(kind+"/posthouse", func(b *testing.B) {
			done := cpu(b)
			for b.Loop() {
				found, err := dkim.Verify(b.Context(), zone, bytes.NewReader(signed), dkim.VerifyOptions{})
				if err != nil || len(found) != 1 || found[0].Verdict != senderauth.Pass {
					b.Fatal(found, err)
				}
			}
			done()
		})
		b.Run(kind+"/go-msgauth", func(b *testing.B) {
			o := &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) { return zone.LookupTXT(context.Background(), name) }}
			done := cpu(b)
			for b.Loop() {
				found, err := msgauth.VerifyWithOptions(bytes.NewReader(signed), o)
				if err != nil || len(found) != 1 || found[0].Err != nil {
					b.Fatal(found, err)
				}
			}
			done()
		})
	}
}
