package smtp

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// whatever draws strings that a careless program puts into a field.
var whatever = rapid.OneOf(
	rapid.SampledFrom([]string{"", "a", "a@b.example", "<>", "a b", "a+b=c", "a>b", "a\r\nRSET", "\x00", "é@b.example", "\xff", "rfc822", "utf-8", `\x{41}`}),
	rapid.String(),
)

// checkMany is rapid.Check for properties that are cheap to check: by default
// rapid looks at a hundred cases.
func checkMany(t *testing.T, prop func(*rapid.T)) {
	t.Helper()
	for range 20 {
		rapid.Check(t, prop)
	}
}

func drawPath(t *rapid.T) Path {
	p, err := ParseMailbox(rapid.SampledFrom([]string{
		"a@b.example", `"a b>"@c.example`, "a@[192.0.2.1]", "postmaster", "é@b.example", "a@é.example", strings.Repeat("x", 64) + "@b",
	}).Draw(t, "path"))
	if err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
		return Path{}
	}
	return p
}

func drawDuration(t *rapid.T, label string) time.Duration {
	return rapid.OneOf(
		rapid.Just(time.Duration(0)),
		rapid.Map(rapid.Int64Range(-1e10, 1e10), func(n int64) time.Duration { return time.Duration(n) }),
		rapid.Map(rapid.Int64Range(-2e9, 2e9), func(n int64) time.Duration { return time.Duration(n) * time.Second }),
	).Draw(t, label)
}

func drawMail(t *rapid.T) Command {
	var p MailParams
	set := func(field string, draw func()) {
		if rapid.IntRange(0, 3).Draw(t, "has "+field) == 0 {
			draw()
		}
	}
	set("SIZE", func() { p.Size = rapid.Int64Min(-1).Draw(t, "size") })
	set("BODY", func() {
		p.Body = Body(rapid.OneOf(rapid.SampledFrom([]string{"7BIT", "8BITMIME", "BINARYMIME", "7bit"}), whatever).Draw(t, "body"))
	})
	p.UTF8, p.RequireTLS, p.PRDR = rapid.Bool().Draw(t, "utf8"), rapid.Bool().Draw(t, "requiretls"), rapid.Bool().Draw(t, "prdr")
	set("AUTH", func() { p.Auth = whatever.Draw(t, "auth") })
	set("RET", func() { p.Return = Return(rapid.SampledFrom([]string{"FULL", "HDRS", "full", "\n"}).Draw(t, "ret")) })
	set("ENVID", func() { p.EnvID = whatever.Draw(t, "envid") })
	set("BY", func() {
		p.By = DeliverBy{drawDuration(t, "by"), rapid.SampledFrom([]ByMode{0, 'R', 'N', 'n', '\n'}).Draw(t, "mode"), rapid.Bool().Draw(t, "trace")}
	})
	set("HOLDFOR", func() { p.HoldFor = drawDuration(t, "holdfor") })
	set("HOLDUNTIL", func() {
		p.HoldUntil = time.Unix(rapid.Int64Range(-1e10, 1e12).Draw(t, "holduntil"), rapid.Int64Range(0, 1).Draw(t, "ns")).In(time.FixedZone("", 3600))
	})
	set("MT-PRIORITY", func() { p.Priority = rapid.IntRange(-11, 11).Draw(t, "priority") })
	return Mail{drawPath(t), p}
}

func drawRcpt(t *rapid.T) Command {
	p := RcptParams{Notify: Notify(rapid.IntRange(0, 17).Draw(t, "notify"))}
	if rapid.Bool().Draw(t, "has ORCPT") {
		p.ORcpt = ORcpt{whatever.Draw(t, "type"), whatever.Draw(t, "addr")}
	}
	return Rcpt{drawPath(t), p}
}

func drawOther(t *rapid.T) Command {
	s, n := whatever.Draw(t, "string"), rapid.IntRange(0, 40).Draw(t, "n")
	flag := rapid.Bool().Draw(t, "flag")
	return rapid.SampledFrom([]Command{
		Hello{Verb(n), s},
		Bdat{int64(n) - 1, flag},
		Auth{strings.ToUpper(s), []byte(s), true},
		Vrfy{s, flag},
		Expn{s, flag},
		Etrn{s},
		XClient{[]XClientAttr{{"ADDR", s}, {strings.ToUpper(s), "x"}}},
		XClient{[]XClientAttr{{"NAME", s}}},
		Unknown{s, s},
	}).Draw(t, "command")
}

// TestWhatAProgramBuildsIsSentWholeOrNotAtAll prints what a program may build: it
// is refused with nothing appended, or reads as what it was.
func TestWhatAProgramBuildsIsSentWholeOrNotAtAll(t *testing.T) {
	for name, draw := range map[string]func(*rapid.T) Command{"MAIL": drawMail, "RCPT": drawRcpt, "others": drawOther} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			checkMany(t, func(t *rapid.T) {
				c := draw(t)
				out, err := AppendCommand([]byte("x"), c)
				if err != nil {
					if string(out) != "x" {
						t.Fatalf("%+v is refused (%v), but %q was appended", c, err, out)
					}
					return
				}
				sent++
				line, ok := bytes.CutSuffix(out[1:], []byte("\r\n"))
				if !ok || bytes.ContainsAny(line, "\r\n\x00") {
					t.Fatalf("%+v is printed as %q", c, out)
				}
				got, err := Grammar{Offers: everyExtension}.Parse(line)
				if err != nil || !reflect.DeepEqual(got, asRead(c)) {
					t.Fatalf("%+v is printed as %q, and read as %+v, %v", c, line, got, err)
				}
			})
			if sent < 5 {
				t.Errorf("only %d commands could be sent at all", sent)
			}
		})
	}
}

// asRead drops what is told to be dropped: parts of a second, and the zone.
func asRead(c Command) Command {
	switch c := c.(type) {
	case Mail:
		if !c.Params.HoldUntil.IsZero() {
			c.Params.HoldUntil = c.Params.HoldUntil.UTC().Truncate(time.Second)
		}
		return c
	case Auth:
		if len(c.Initial) == 0 {
			c.Initial = nil
		}
		return c
	case Unknown:
		c.Args = strings.TrimRight(c.Args, " ")
		return c
	}
	return c
}

// TestNoReplyEndsALineEarly prints replies of any text.
func TestNoReplyEndsALineEarly(t *testing.T) {
	checkMany(t, func(t *rapid.T) {
		text := rapid.OneOf(whatever, rapid.StringN(0, 3000, -1)).Draw(t, "text")
		r := Replyf(rapid.SampledFrom([]Code{250, 354, 550}).Draw(t, "code"), EnhancedCode{}, "%s", text)
		wire := r.Append(nil, rapid.Bool().Draw(t, "utf8"))
		got, err := readReply(wire)
		if err != nil && !errors.Is(err, ErrReplyTooLong) || err == nil && got.Code != r.Code {
			t.Fatalf("%q is printed as %q, and read as %v, %v", text, wire, got, err)
		}
		if strings.ContainsAny(r.Error(), "\r\n\x00\x1b") {
			t.Fatalf("the error is %q", r.Error())
		}
	})
}
