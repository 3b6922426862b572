package smtp

import (
	"bytes"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// hostile are patterns that have made parsers slow: each is repeated many times.
var hostile = []string{
	"<", "@", "@a,", "@a:", `"`, `\`, `"\`, ".", "a.", "a@", "[", "[a:", "]", ">", "xn--", "xn--a.", "-", "_",
	"é", "\xc3", "é.", " ", " A", " A=", " SIZE=1", " X=Y", "=", "+", "+4", "+41", `\x{`, `\x{E9}`, ";", ",", "NEVER,",
	"\r", "\n", "\r\n", ".\r\n", "..\r\n", "\r\n.\r", "\r\r\n", "a\r\n", "\x00",
	"250-\r\n", "250-a\r\n", "250-2.0.0 a\r\n", "250", "2.0.0", "1.",
	"AUTH a\n", "AUTH A B C D E F G H ", "SIZE 1\n", "X\n", "LIMITS RCPTMAX=1 ", "=\nAUTH=",
}

// parsers are the readers and printers of this package, without the limit on
// the length of a line that Parse and Line put before them.
var parsers = map[string]func(s string){
	"ParsePath":         func(s string) { _, _ = ParsePath(s) },
	"<ParsePath":        func(s string) { _, _ = ParsePath("<" + s + "@b>") },
	"quoted local":      func(s string) { _, _ = ParseMailbox(`"` + s + `"@b`) },
	"ParseMailbox":      func(s string) { _, _ = ParseMailbox("a@" + s) },
	"ParseDomain":       func(s string) { _, _ = ParseDomain(s) },
	"ParseLiteral":      func(s string) { _, _ = ParseLiteral("[" + s + "]") },
	"HELO":              parseAs(VerbHELO, ""),
	"MAIL":              parseAs(VerbMAIL, "FROM:"),
	"RCPT":              parseAs(VerbRCPT, "TO:"),
	"BDAT":              parseAs(VerbBDAT, ""),
	"AUTH":              parseAs(VerbAUTH, "X "),
	"VRFY":              parseAs(VerbVRFY, ""),
	"ETRN":              parseAs(VerbETRN, ""),
	"XCLIENT":           parseAs(VerbXCLIENT, ""),
	"Parse":             func(s string) { _, _ = Grammar{}.Parse([]byte(s)) },
	"MAIL parameters":   func(s string) { _, _ = parseMailParams(s, everyExtension) },
	"RCPT parameters":   func(s string) { _, _ = parseRcptParams(s, everyExtension) },
	"ORCPT":             func(s string) { _, _ = parseORcpt("utf-8;" + s) },
	"NOTIFY":            func(s string) { _, _ = parseNotify(s) },
	"xtext":             func(s string) { _, _ = decodeXText(s) },
	"utf-8 in ASCII":    func(s string) { _, _ = decodeUniText(s) },
	"SASL":              func(s string) { _, _ = DecodeSASL([]byte(s)) },
	"extensions":        func(s string) { ParseExtensions(&Reply{Text: "\n" + s}) },
	"reading replies":   func(s string) { _, _ = readReply([]byte(s)) },
	"enhanced codes":    func(s string) { _, _ = ParseEnhancedCode(s) },
	"printing":          func(s string) { (&Reply{Code: 250, Text: s}).Append(nil, true) },
	"lines":             readLines,
	"DATA in":           func(s string) { _ = NewReader(strings.NewReader(s), nil).Dot(TextLimits{}).Drain() },
	"DATA out":          func(s string) { _ = dotWrite(io.Discard, []byte(s), 0) },
	"chunk lines":       func(s string) { _ = new(LineCheck).Check([]byte(s)) },
	"new lines":         func(s string) { _, _ = io.Copy(io.Discard, NewLines(strings.NewReader(s))) },
	"a program's ENVID": func(s string) { _, _ = AppendCommand(nil, Mail{Params: MailParams{EnvID: s}}) },
	"a program's AUTH":  func(s string) { _, _ = AppendCommand(nil, Mail{Params: MailParams{Auth: s}}) },
	"a program's ORCPT": func(s string) {
		_, _ = AppendCommand(nil, Rcpt{To: Postmaster, Params: RcptParams{ORcpt: ORcpt{"utf-8", s}}})
	},
	"a program's VRFY": func(s string) { _, _ = AppendCommand(nil, Vrfy{User: s}) },
}

func readLines(s string) {
	r := NewReader(strings.NewReader(s), nil)
	for {
		if _, err := r.Line(512); err == io.EOF || err == io.ErrUnexpectedEOF {
			return
		}
	}
}

func parseAs(v Verb, before string) func(s string) {
	return func(s string) { _, _ = Grammar{Offers: everyExtension}.parse(v, v.String(), before+s) }
}

// TestEveryParserIsLinear feeds each parser 256 KiB of each hostile pattern, with
// POSTHOUSE_TEST_ALL 1 MiB. One that takes longer than a linear parser does is given four
// times as much: a linear parser needs four times as long, one that looks at all of it
// again and again 16 times. Only a ratio that stays above 11 in five tries is a failure, and where
// the system tells it is the time of the processor that counts, so that a busy machine is none.
func TestEveryParserIsLinear(t *testing.T) {
	size := 256 << 10
	if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		size = 1 << 20
	}
	for name, parse := range parsers {
		t.Run(name, func(t *testing.T) {
			for _, p := range hostile {
				s := strings.Repeat(p, size/len(p))
				if shortest(parse, s) < 25*time.Millisecond {
					continue
				}
				if ratio := leastRatio(parse, s); ratio > 11 {
					t.Fatalf("%q: four times as much takes %.0f times as long", p, ratio)
				}
			}
		})
	}
}

// leastRatio compares how long four times s takes with how long s takes.
func leastRatio(parse func(string), s string) float64 {
	long := strings.Repeat(s, 4)
	least := math.Inf(1)
	for range 5 {
		one, four := elapsed(parse, s), elapsed(parse, long)
		if least = min(least, float64(four)/float64(max(one, 1))); least <= 11 {
			break
		}
	}
	return least
}

// shortest takes the second try only if the first was slow.
func shortest(parse func(string), s string) time.Duration {
	took := elapsed(parse, s)
	if took > 25*time.Millisecond {
		took = min(took, elapsed(parse, s))
	}
	return took
}

// TestWhatIsReadOfAHostileReplyIsBounded counts octets, not time.
func TestWhatIsReadOfAHostileReplyIsBounded(t *testing.T) {
	for _, p := range hostile {
		src := bytes.NewReader(bytes.Repeat([]byte(p), 4<<20/len(p)))
		size := src.Len()
		_, _ = NewReader(src, nil).Reply()
		if used := size - src.Len(); used > MaxReplyBytes+MaxReplyLines*10+2*bufferSize {
			t.Errorf("%q: %d octets were read for one reply", p, used)
		}
	}
}

// TestNoLongDomainReachesIDNA holds that a Path has at most MaxDomain octets of
// domain, whoever made it: Equal, ToASCII and ToUnicode give no more to IDNA,
// whose cost grows with the square.
func TestNoLongDomainReachesIDNA(t *testing.T) {
	for _, p := range hostile {
		for n := 250; n <= 270; n++ {
			s := strings.Repeat(p, n/len(p)+1)[:n]
			for _, make := range []func() (Path, error){
				func() (Path, error) { return ParsePath("<a@" + s + ">") },
				func() (Path, error) { return ParseMailbox("a@" + s) },
				func() (Path, error) { var p Path; err := p.UnmarshalText([]byte("a@" + s)); return p, err },
			} {
				if q, err := make(); err == nil && len(q.Domain()) > MaxDomain-2 {
					t.Errorf("a path has a domain of %d octets: %q", len(q.Domain()), q)
				}
			}
		}
	}
}

func BenchmarkHostileDomain(b *testing.B) {
	for name, s := range map[string]string{
		"ToASCII":   "a@" + strings.Repeat("é", 126),
		"ToUnicode": "a@" + strings.Repeat("xn--"+strings.Repeat("9", 59)+".", 3) + "example",
	} {
		b.Run(name, func(b *testing.B) {
			p, err := ParseMailbox(s)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				_, _ = p.ToASCII()
				_ = p.ToUnicode()
			}
		})
	}
}
