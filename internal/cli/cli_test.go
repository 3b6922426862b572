package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"550 5.1.1 no such user": "550 5.1.1 no such user",
		"你好 <a@b>":               "你好 <a@b>",
		`a\b`:                    `a\b`,
		"\x1b[2Jgone\r\n":        `\x1b[2Jgone\r\n`,
		"\xff\x00":               `\xff\x00`,
		"safe\u202etxt":          `safe\u202etxt`,
		"\u2028":                 `\u2028`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) is %q, want %q", in, got, want)
		}
	}
}

// TestPrintJSON: what JSON would let through to a terminal is escaped, and means
// what it did.
func TestPrintJSON(t *testing.T) {
	for in, want := range map[string]string{
		"你好 <a@b>":             `"你好 <a@b>"`,
		"\x1b[2J\n\x00":        `"\u001b[2J\n\u0000"`,
		"\x7f\u009b2J\u202e":   `"\u007f\u009b2J\u202e"`,
		"\U000e0041\ufffd\xff": `"\udb40\udc41` + "\ufffd" + `\ufffd"`,
	} {
		var out bytes.Buffer
		if err := PrintJSON(&out, in); err != nil || out.String() != want+"\n" {
			t.Errorf("PrintJSON(%q) writes %q, %v; want %q", in, &out, err, want)
		}
		var back string
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != strings.ToValidUTF8(in, "\ufffd") {
			t.Errorf("%q is read back as %q, %v", in, back, err)
		}
	}
}

func TestStatusOf(t *testing.T) {
	refused := errors.New("refused")
	err := fmt.Errorf("outer: %w", Fail(TempFail, "inner: %w", refused))
	if status, told := StatusOf(err); status != TempFail || !told {
		t.Errorf("status is %d, %v; want %d, true", status, told, TempFail)
	}
	if !errors.Is(err, refused) {
		t.Error("Fail hides its cause")
	}
	if status, told := StatusOf(refused); status != Software || told {
		t.Errorf("status of another error is %d, %v; want %d, false", status, told, Software)
	}
	if err := End(OK); err != nil {
		t.Errorf("End(OK) is %v", err)
	}
	if err := End(DataErr); err == nil || err.Error() != "" {
		t.Errorf("End(DataErr) says %v; want an error without a text", err)
	}
}

func TestOctets(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1_500_000_000: "1.5 GB",
	} {
		if got := Octets(n); got != want {
			t.Errorf("Octets(%d) is %q, want %q", n, got, want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	begun := time.Unix(1000, 0)
	p := &Progress{label: "sending", total: 4000, format: Octets, begun: begun, done: 1000}
	forms := p.forms(begun.Add(2 * time.Second))
	for width, want := range map[int]string{
		80: "sending [######------------------]  25% 1.0 kB of 4.0 kB, 500 B/s",
		66: "sending [######------------------]  25% 1.0 kB of 4.0 kB, 500 B/s",
		65: "sending  25% 1.0 kB of 4.0 kB, 500 B/s", // the last column stays free
		38: "sending  25%",
		10: " 25%",
		1:  " 25%",
	} {
		if got := widest(forms, width); got != want {
			t.Errorf("%d wide, the bar is\n%q, want\n%q", width, got, want)
		}
	}
}

func TestProgressOnlyOnTerminal(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, "sending", 10, Octets)
	p.Add(10)
	p.Done()
	if out.Len() != 0 {
		t.Errorf("something was drawn on what is no terminal: %q", out.String())
	}
}

func TestProgressIsDrawnNowAndThen(t *testing.T) {
	var out bytes.Buffer
	p := &Progress{out: &out, label: "sending", total: 1000, format: Octets, begun: time.Now()}
	for range 1000 {
		p.Add(1)
	}
	if got := strings.Count(out.String(), "sending"); got == 0 || got > 100 {
		t.Errorf("the bar was drawn %d times in an instant", got)
	}
	p.Done()
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Error("the bar stays")
	}
}

func TestHostPort(t *testing.T) {
	for in, want := range map[string]string{
		"mail.example:587": "mail.example:587",
		"mail.example":     "mail.example:25",
		"[::1]:2525":       "[::1]:2525",
		"[::1]":            "[::1]:25",
		"::1":              "[::1]:25",
		"127.0.0.1:0":      "127.0.0.1:0",
		"":                 "",
		":25":              "",
		"mail.example:":    "",
		"mail.example:x":   "",
		"mail.example:-1":  "",
		"a b:25":           "",
		"fe80::1%eth0":     "[fe80::1%eth0]:25",
		"2525":             "",
		"[::1":             "",
		"::1]":             "",
		"mail:25:25":       "",
		"[mail]:25":        "mail:25",
	} {
		got, err := HostPort(in, "25")
		if got != want || (err != nil) != (want == "") {
			t.Errorf("HostPort(%q) is %q, %v; want %q", in, got, err, want)
		}
	}
}
