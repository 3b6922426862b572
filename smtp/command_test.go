package smtp

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const everyExtension = ExtensionSet(1<<extensionCount - 1)

func TestCommandsAsTheyAreRead(t *testing.T) {
	var g Grammar
	rows(t, "commands.txt", func(at, row string) {
		if heading, ok := strings.CutPrefix(row, "== "); ok {
			g = grammarOf(t, heading)
			return
		}
		line, want, refused := strings.Cut(row, "! ")
		if !refused {
			line, want, _ = strings.Cut(row, "| ")
		}
		line = strings.TrimRight(line, " ")
		if before, ok := strings.CutSuffix(line, "_"); ok {
			line = before + " "
		}
		switch want = strings.TrimLeft(want, " "); {
		case refused:
			checkRefusal(t, at, g, line, want)
		case want == "?":
			if c, err := g.Parse([]byte(line)); err != nil || c.Verb() != VerbUnknown {
				t.Errorf("%s: %q is %+v, %v; want a word that nobody knows", at, line, c, err)
			}
		case want == "=":
			checkCommand(t, at, g, line, line)
		default:
			checkCommand(t, at, g, line, want)
		}
	})
}

func grammarOf(t *testing.T, heading string) Grammar {
	mode, without, _ := strings.Cut(heading, " without ")
	g := Grammar{Offers: everyExtension, Strict: mode == "strict"}
	for _, name := range strings.Fields(without) {
		was := g.Offers
		for e := range extensionCount {
			if e.String() == name {
				g.Offers = g.Offers.Without(e)
			}
		}
		if g.Offers == was {
			t.Fatalf("no extension is called %s", name)
		}
	}
	return g
}

func checkRefusal(t *testing.T, at string, g Grammar, line, want string) {
	t.Helper()
	c, err := g.Parse([]byte(line))
	var r *Reply
	if !errors.As(err, &r) || r.Code.String()+" "+r.Enhanced.String() != want {
		t.Errorf("%s: %q is %+v, %v; want %s", at, line, c, err, want)
		return
	}
	if !c.Verb().Permits(r.Code) {
		t.Errorf("%s: %s may not be answered with %d", at, c.Verb(), r.Code)
	}
	word, _, _ := strings.Cut(line, " ")
	if c.Verb() != ParseVerb(strings.TrimRight(word, "\t"), !g.Strict) {
		t.Errorf("%s: %q was taken for %s", at, line, c.Verb())
	}
}

func checkCommand(t *testing.T, at string, g Grammar, line, want string) {
	t.Helper()
	c, err := g.Parse([]byte(line))
	if err != nil {
		t.Errorf("%s: %q: %v", at, line, err)
		return
	}
	printed, err := AppendCommand([]byte("before "), c)
	if err != nil || string(printed) != "before "+want+"\r\n" {
		t.Errorf("%s: %q is printed as %q, %v; want %q", at, line, printed, err, want)
		return
	}
	again, err := g.Parse([]byte(want))
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("%s: %q is %+v, but printed and read again %+v, %v", at, line, c, again, err)
	}
}

// TestWhatAMailSays looks at each field once.
func TestWhatAMailSays(t *testing.T) {
	line := "MAIL FROM:<a@b.example> SIZE=5 BODY=8BITMIME SMTPUTF8 REQUIRETLS PRDR AUTH=c+2B@d.example RET=HDRS ENVID=e+20f BY=-6;NT HOLDFOR=7 MT-PRIORITY=-8"
	want := Mail{
		From: Path{"a", "b.example"},
		Params: MailParams{
			Size: 5, Body: Body8Bit, UTF8: true, RequireTLS: true, PRDR: true, Auth: "c+@d.example",
			Return: ReturnHeaders, EnvID: "e f", By: DeliverBy{-6 * time.Second, ByNotify, true},
			HoldFor: 7 * time.Second, Priority: -8,
		},
	}
	got, err := Grammar{Offers: everyExtension}.Parse([]byte(line))
	if err != nil || got != want {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	uses := everyExtension
	for _, e := range []Extension{
		ExtPipelining, ExtChunking, ExtBinaryMIME, ExtStartTLS, ExtEnhancedStatusCodes,
		ExtLimits, ExtETRN, ExtXClient, ExtVRFY, ExtEXPN, ExtHELP,
	} {
		uses = uses.Without(e)
	}
	if want.Params.Uses() != uses {
		t.Errorf("it uses %b, want %b", want.Params.Uses(), uses)
	}
}

func TestWhatARcptSays(t *testing.T) {
	line := `RCPT TO:<a@b.example> NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;\x{E9}@c.example`
	want := Rcpt{Path{"a", "b.example"}, RcptParams{NotifySuccess | NotifyFailure, ORcpt{"utf-8", "é@c.example"}}}
	got, err := Grammar{Offers: everyExtension}.Parse([]byte(line))
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if want.Params.Uses() != SetOf(ExtDSN) || (&RcptParams{}).Uses() != 0 {
		t.Error("NOTIFY and ORCPT are of DSN, and nothing is of nothing")
	}
	if s := want.Params.ORcpt.String(); s != "utf-8;é@c.example" {
		t.Errorf("a report says %q", s)
	}
}

// TestCommandsThatCannotBeSent are built by a program, and refused whole.
func TestCommandsThatCannotBeSent(t *testing.T) {
	a := Path{"a", "b.example"}
	for _, c := range []Command{
		Hello{VerbMAIL, "a.example"},
		Hello{VerbEHLO, ""},
		Hello{VerbEHLO, "a.example\r\nRSET"},
		Hello{VerbEHLO, "é.example"},
		Mail{From: Path{"é", "b.example"}},
		Mail{a, MailParams{Size: -1}},
		Mail{a, MailParams{Body: "7BIT\r\nRSET"}},
		Mail{a, MailParams{Return: "ALL"}},
		Mail{a, MailParams{EnvID: "a\r\nRSET"}},
		Mail{a, MailParams{EnvID: strings.Repeat("+", 34)}},
		Mail{a, MailParams{Auth: "not a mailbox"}},
		Mail{a, MailParams{By: DeliverBy{Within: time.Second}}},
		Mail{a, MailParams{By: DeliverBy{Within: time.Second, Mode: 'X'}}},
		Mail{a, MailParams{By: DeliverBy{Within: -time.Second, Mode: ByReturn}}},
		Mail{a, MailParams{By: DeliverBy{Within: time.Millisecond, Mode: ByReturn}}},
		Mail{a, MailParams{By: DeliverBy{Within: 1e9 * time.Second, Mode: ByNotify}}},
		Mail{a, MailParams{HoldFor: -time.Second}},
		Mail{a, MailParams{HoldFor: time.Millisecond}},
		Mail{a, MailParams{HoldUntil: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		Mail{a, MailParams{HoldFor: time.Second, HoldUntil: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}},
		Mail{a, MailParams{Priority: 10}},
		Rcpt{},
		Rcpt{a, RcptParams{Notify: NotifyNever | NotifyDelay}},
		Rcpt{a, RcptParams{Notify: 1 << 4}},
		Rcpt{a, RcptParams{ORcpt: ORcpt{"rfc822", ""}}},
		Rcpt{a, RcptParams{ORcpt: ORcpt{"", "a"}}},
		Rcpt{a, RcptParams{ORcpt: ORcpt{"rfc 822", "a"}}},
		Rcpt{a, RcptParams{ORcpt: ORcpt{"rfc822", "a\nb"}}},
		Rcpt{a, RcptParams{ORcpt: ORcpt{"rfc822", "é"}}},
		Rcpt{a, RcptParams{ORcpt: ORcpt{"utf-8", "a\nb"}}},
		Rcpt{a, RcptParams{ORcpt: ORcpt{"utf-8", "\xff"}}},
		Rcpt{a, RcptParams{ORcpt: ORcpt{"rfc822", strings.Repeat("x", 500)}}},
		Bdat{Size: -1},
		Auth{Mechanism: "PLAIN X"},
		Auth{"PLAIN", bytes.Repeat([]byte{0}, 10000), true},
		Vrfy{},
		Vrfy{User: " a"},
		Vrfy{User: "é"},
		Vrfy{User: "a\r\nRSET"},
		Vrfy{User: "a SMTPUTF8"},
		Expn{List: "\xff", UTF8: true},
		Help{"a\nb"},
		Noop{"a\rb"},
		Noop{strings.Repeat("x", 506)},
		Etrn{"a b"},
		XClient{},
		XClient{[]XClientAttr{{"A DDR", "1"}}},
		XClient{[]XClientAttr{{"ADDR", "1\n"}}},
		XClient{make([]XClientAttr, maxParams+1)},
		Unknown{"MAIL", "FROM:<a@b.example>"},
		Unknown{"REST", ""},
		Unknown{"XYZZY", "a\r\nRSET"},
		Unknown{"X Y", ""},
		Unknown{},
	} {
		if out, err := AppendCommand([]byte("before"), c); err == nil || string(out) != "before" {
			t.Errorf("%#v: appended %q, %v; want an error and nothing", c, out, err)
		}
	}
}

func TestSASLLines(t *testing.T) {
	for _, s := range []string{"", "a", "\x00user\x00secret"} {
		line := AppendSASL(nil, []byte(s))
		got, err := DecodeSASL(bytes.TrimSuffix(line, []byte("\r\n")))
		if err != nil || string(got) != s {
			t.Errorf("%q: %q, read back %q, %v", s, line, got, err)
		}
	}
	for _, line := range []string{"*", "YQ", "YR==", "Y Q=", "YQ==YQ=="} {
		if got, err := DecodeSASL([]byte(line)); err == nil {
			t.Errorf("%q is read as %q", line, got)
		}
	}
}
