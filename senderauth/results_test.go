package senderauth_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
)

// TestParseResults has the examples of RFC 8601, appendix B, and what the
// grammar allows besides.
func TestParseResults(t *testing.T) {
	property := func(s string) senderauth.Property {
		name, value, _ := strings.Cut(s, "=")
		kind, name, _ := strings.Cut(name, ".")
		return senderauth.Property{Type: kind, Name: name, Value: value}
	}
	method := func(name string, v senderauth.Verdict, reason string, properties ...string) senderauth.MethodResult {
		m := senderauth.MethodResult{Method: name, Verdict: v, Reason: reason}
		for _, p := range properties {
			m.Properties = append(m.Properties, property(p))
		}
		return m
	}
	for value, want := range map[string][]senderauth.MethodResult{
		"example.org 1; none": nil,
		"example.org":         nil,
		"example.org; none;":  nil,
		" example.com;\r\n\tspf=pass smtp.mailfrom=example.net": {method("spf", "pass", "", "smtp.mailfrom=example.net")},
		"example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net": {
			method("auth", "pass", "", "smtp.auth=sender@example.net"), method("spf", "pass", "", "smtp.mailfrom=example.net"),
		},
		`example.com; dkim=pass reason="good signature" header.i=@mail-router.example.net; dkim = fail reason=bad header . i = @newyork.example.com`: {
			method("dkim", "pass", "good signature", "header.i=@mail-router.example.net"),
			method("dkim", "fail", "bad", "header.i=@newyork.example.com"),
		},
		"foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462": {
			method("dkim", "fail", "", "policy.expired=1362471462"),
		},
		`x; dkim=PASS header.b="a/b=" smtp.mailfrom="a \"b;"@example.org`: {
			method("dkim", "pass", "", "header.b=a/b=", `smtp.mailfrom=a "b;@example.org`),
		},
	} {
		got, err := senderauth.ParseResults(value)
		if err != nil || !reflect.DeepEqual(got.Methods, want) {
			t.Errorf("%q: got %+v, %v", value, got, err)
		}
	}
	for _, bad := range []string{
		"", ";", "; spf=pass", "dkim=pass header.d=bank.example", "x y; none", "x; spf", "x; spf=", "x; =pass", "x; spf=pass smtp.mailfrom",
		"x; spf=pass (", `x; spf=pass reason="`, "x; " + strings.Repeat("(", 50) + strings.Repeat(")", 50) + "none",
		"x" + strings.Repeat("; a=b", 101), "x; a=" + strings.Repeat("b", 1<<17),
	} {
		if got, err := senderauth.ParseResults(bad); err == nil {
			t.Errorf("%.80q: %+v", bad, got)
		}
	}
}

func TestPrintResults(t *testing.T) {
	r := senderauth.Results{ID: "mx.example.com", Methods: []senderauth.MethodResult{
		{Method: "spf", Verdict: senderauth.Fail, Reason: `said: "no\r\n"` + "\r\nBcc: x", Properties: []senderauth.Property{
			{Type: "smtp", Name: "mailfrom", Value: "jo smith@example.org"}, {Type: "smtp", Name: "helo", Value: "x;dkim=pass"},
		}},
		{Method: "dkim", Verdict: senderauth.Pass, Properties: []senderauth.Property{
			{Type: "header", Name: "d", Value: "example.org"}, {Type: "header", Name: "i", Value: "@example.org"}, {Type: "header", Name: "b", Value: "ab/c+d=="},
		}},
	}}
	want := "Authentication-Results: mx.example.com;\r\n" +
		"\tspf=fail reason=\"said: \\\"no\\\\r\\\\n\\\"??Bcc: x\"\r\n" +
		"\tsmtp.mailfrom=\"jo smith@example.org\" smtp.helo=\"x;dkim=pass\";\r\n" +
		"\tdkim=pass header.d=example.org header.i=@example.org header.b=\"ab/c+d==\"\r\n"
	if got := string(r.AppendField(nil)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (senderauth.Results{ID: "mx.example.com"}).String(); got != "mx.example.com; none" {
		t.Error(got)
	}
}

// TestClaimsToBe has the ways to forge a field of ours.
func TestClaimsToBe(t *testing.T) {
	for field, want := range map[string]bool{
		"Authentication-Results: mx.example.com; spf=pass":                     true,
		"authentication-RESULTS : MX.Example.com; spf=pass":                    true,
		"Authentication-Results:\r\n mx.example.com\r\n ; spf=pass":            true,
		"Authentication-Results: mx.example.com.; spf=pass":                    true,
		"Authentication-Results: mx.example.com 1; spf=pass":                   true,
		"Authentication-Results: mx.example.com/1; spf=pass":                   true,
		"Authentication-Results: mx.example.com:25; spf=pass":                  true,
		"Authentication-Results: (a (nested) one) mx.example.com(x); spf=pass": true,
		`Authentication-Results: "mx.example.com"; spf=pass`:                   true,
		`Authentication-Results: "mx.\exa"mple.com; spf=pass`:                  true,
		`Authentication-Results: " mx.example.com "; spf=pass`:                 true,
		"Authentication-Results: mx.\uff45xample.com; spf=pass":                true,
		"Authentication-Results: =?us-ascii?q?mx.example.com?=; spf=pass":      true,
		"Authentication-Results: mx.exam\x00ple.com; spf=pass":                 true,
		"Authentication-Results: mx.exam\u200bple.com; spf=pass":               true,
		"Authentication-Results: mx.exam\xffple.com; spf=pass":                 true,
		"Authentication-Results: mx.example.com":                               true,
		"Authentication-Results: dkim=pass header.d=bank.example":              true,
		"Authentication-Results: ; spf=pass":                                   true,
		"Authentication-Results:":                                              true,
		"Authentication-Results: (mx.example.com; spf=pass":                    true,
		`Authentication-Results: "mx.example.com; spf=pass`:                    true,
		"Authentication-Results: mx.example.org; spf=pass":                     false,
		"Authentication-Results: mx.example.com.evil.example; spf=pass":        false,
		"Authentication-Results: xmx.example.com; spf=pass (mx.example.com)":   false,
		"Authentication-Results: example.com; spf=pass":                        false,
		"Authentication-Results: mx.b\u00fccher.example; spf=pass":             false,
		"X-Authentication-Results: mx.example.com; spf=pass":                   false,
		"ARC-Authentication-Results: i=1; mx.example.com; spf=pass":            false,
		"Subject: mx.example.com; spf=pass":                                    false,
	} {
		if got := senderauth.ClaimsToBe([]byte(field+"\r\n"), "MX.example.com."); got != want {
			t.Errorf("%q: got %v", field, got)
		}
	}
	if !senderauth.ClaimsToBe([]byte("Authentication-Results: mx.xn--bcher-kva.example; none\r\n"), "mx.b\u00fccher.example") {
		t.Error("an A-label is its U-label")
	}
}

// FuzzParseResults checks that what is printed is read back the same, stays one
// field, and that nobody can write a field of ours that ClaimsToBe lets through.
func FuzzParseResults(f *testing.F) {
	f.Add("mx.example.com 1; spf=pass (c) reason=\"r\" smtp.mailfrom=a@b; none")
	f.Add("mx.example.com; dkim/1=fail header.i=\"a b\"@c; =")
	f.Add("\"mx.exam\\ple.com\" (())")
	f.Fuzz(func(t *testing.T, value string) {
		r, err := senderauth.ParseResults(value)
		if err != nil {
			return
		}
		field := r.AppendField(nil)
		if bytes.Contains(bytes.ReplaceAll(field[:len(field)-2], []byte("\r\n\t"), nil), []byte("\n")) {
			t.Fatalf("%q has a line end inside", field)
		}
		again, err := senderauth.ParseResults(string(field[len("Authentication-Results:"):]))
		if err != nil || len(again.Methods) != len(r.Methods) {
			t.Errorf("%q: printed as %q, read as %+v, %v", value, field, again, err)
		}
		if strings.EqualFold(r.ID, "mx.example.com") && !senderauth.ClaimsToBe([]byte("Authentication-Results: "+value+"\r\n"), "mx.example.com") {
			t.Errorf("%q is not seen", value)
		}
	})
}

// A server drops what pretends to be its own, and writes what it found on top.
func ExampleResults() {
	const ours = "mx.example.com"
	came := [][]byte{
		[]byte("Authentication-Results: (really) MX.EXAMPLE.COM.; dkim=pass header.d=bank.example\r\n"),
		[]byte("Authentication-Results: lists.example.net; spf=pass smtp.mailfrom=a@example.org\r\n"),
	}
	show := func(field []byte) { fmt.Print(strings.ReplaceAll(string(field), "\r\n", "\n")) }
	show(senderauth.Results{ID: ours, Methods: []senderauth.MethodResult{
		{Method: "spf", Verdict: senderauth.Pass, Properties: []senderauth.Property{{Type: "smtp", Name: "mailfrom", Value: "a@example.org"}}},
	}}.AppendField(nil))
	for _, field := range came {
		if !senderauth.ClaimsToBe(field, ours) {
			show(field)
		}
	}
	// Output:
	// Authentication-Results: mx.example.com;
	// 	spf=pass smtp.mailfrom=a@example.org
	// Authentication-Results: lists.example.net; spf=pass smtp.mailfrom=a@example.org
}
