package smtp

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestEachExtensionIsPrintedAndReadAlike goes both ways for each extension.
func TestEachExtensionIsPrintedAndReadAlike(t *testing.T) {
	until := time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)
	table := map[string]Extensions{
		"SIZE 0":                   {Set: SetOf(ExtSize)},
		"SIZE 1000":                {Set: SetOf(ExtSize), MaxSize: 1000},
		"8BITMIME":                 {Set: SetOf(Ext8BitMIME)},
		"PIPELINING":               {Set: SetOf(ExtPipelining)},
		"CHUNKING":                 {Set: SetOf(ExtChunking)},
		"BINARYMIME":               {Set: SetOf(ExtBinaryMIME)},
		"STARTTLS":                 {Set: SetOf(ExtStartTLS)},
		"AUTH PLAIN SCRAM-SHA-256": {Set: SetOf(ExtAuth), Mechanisms: []string{"PLAIN", "SCRAM-SHA-256"}},
		"ENHANCEDSTATUSCODES":      {Set: SetOf(ExtEnhancedStatusCodes)},
		"DSN":                      {Set: SetOf(ExtDSN)},
		"SMTPUTF8":                 {Set: SetOf(ExtSMTPUTF8)},
		"DELIVERBY":                {Set: SetOf(ExtDeliverBy)},
		"DELIVERBY 240":            {Set: SetOf(ExtDeliverBy), DeliverByMin: 4 * time.Minute},
		"FUTURERELEASE 86400 2026-12-24T18:00:00Z": {Set: SetOf(ExtFutureRelease), HoldMax: 24 * time.Hour, HoldUntilMax: until},
		"MT-PRIORITY":            {Set: SetOf(ExtMTPriority)},
		"MT-PRIORITY STANAG4406": {Set: SetOf(ExtMTPriority), Priorities: "STANAG4406"},
		"REQUIRETLS":             {Set: SetOf(ExtRequireTLS)},
		"LIMITS":                 {Set: SetOf(ExtLimits)},
		"LIMITS RCPTMAX=20":      {Set: SetOf(ExtLimits), Limits: Limits{RcptMax: 20}},
		"LIMITS MAILMAX=1 RCPTMAX=2 RCPTDOMAINMAX=3": {Set: SetOf(ExtLimits), Limits: Limits{1, 2, 3}},
		"ETRN":              {Set: SetOf(ExtETRN)},
		"PRDR":              {Set: SetOf(ExtPRDR)},
		"XCLIENT ADDR NAME": {Set: SetOf(ExtXClient), XClient: []string{"ADDR", "NAME"}},
		"VRFY":              {Set: SetOf(ExtVRFY)},
		"EXPN":              {Set: SetOf(ExtEXPN)},
		"HELP":              {Set: SetOf(ExtHELP)},
		"X-POST a  b":       {Other: []string{"X-POST a  b"}},
	}
	var seen ExtensionSet
	for line, x := range table {
		if got := x.Lines(); len(got) != 1 || got[0] != line {
			t.Errorf("printed %q, want %q", got, line)
		}
		if got := ehlo(line); !reflect.DeepEqual(got, x) {
			t.Errorf("%s: read as %+v, want %+v", line, got, x)
		}
		if got := ehlo(strings.ToLower(line)); got.Set != x.Set {
			t.Errorf("%s: in small letters read as %+v", line, got)
		}
		seen |= x.Set
	}
	if seen != everyExtension {
		t.Errorf("not every extension is in the table: %b", seen)
	}
}

func ehlo(lines ...string) Extensions {
	return ParseExtensions(&Reply{Code: 250, Text: "a.example greets you\n" + strings.Join(lines, "\n")})
}

// TestWhatOddServersOffer has lines that were seen, and lines that were made up
// to harm.
func TestWhatOddServersOffer(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  Extensions
	}{
		{"the old way to say AUTH, beside the new", []string{"AUTH=LOGIN PLAIN", "AUTH PLAIN login"}, Extensions{Set: SetOf(ExtAuth), Mechanisms: []string{"LOGIN", "PLAIN"}}},
		{"AUTH= and nothing", []string{"AUTH="}, Extensions{Set: SetOf(ExtAuth)}},
		{"spaces in plenty", []string{"  SIZE   5  ", "", "   "}, Extensions{Set: SetOf(ExtSize), MaxSize: 5}},
		{"SIZE without number", []string{"SIZE"}, Extensions{Set: SetOf(ExtSize)}},
		{"SIZE that is none", []string{"SIZE lots"}, Extensions{Set: SetOf(ExtSize)}},
		{"SIZE below 0", []string{"SIZE -5"}, Extensions{Set: SetOf(ExtSize)}},
		{"SIZE beyond any", []string{"SIZE 99999999999999999999"}, Extensions{Set: SetOf(ExtSize)}},
		{"limits that are none", []string{"LIMITS RCPTMAX MAILMAX=x RCPTMAX=-1 FOO=1 RCPTDOMAINMAX=7"}, Extensions{Set: SetOf(ExtLimits), Limits: Limits{RcptDomainMax: 7}}},
		{"a mechanism that would be a command", []string{"AUTH PLAIN X\rRSET SCRAM-SHA-1+ " + strings.Repeat("X", 21)}, Extensions{Set: SetOf(ExtAuth), Mechanisms: []string{"PLAIN", "X", "RSET"}}},
		{"a hold that is none", []string{"FUTURERELEASE soon never"}, Extensions{Set: SetOf(ExtFutureRelease)}},
		{"a long s is no S", []string{"ſIZE 5"}, Extensions{Other: []string{"ſIZE 5"}}},
		{"unknown words are kept as they are", []string{"X-EXPS GSSAPI", "xyzzy"}, Extensions{Other: []string{"X-EXPS GSSAPI", "xyzzy"}}},
	} {
		if got := ehlo(c.lines...); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	if x := ParseExtensions(&Reply{Code: 250, Text: "SIZE 5"}); x.Set != 0 {
		t.Errorf("the greeting offers %+v", x)
	}
}

func TestFloodOfMechanismsIsBounded(t *testing.T) {
	var words []string
	for i := range 10000 {
		words = append(words, fmt.Sprintf("M%d", i))
	}
	x := ehlo("AUTH "+strings.Join(words, " "), "XCLIENT "+strings.Join(words, " "))
	if len(x.Mechanisms) != maxNames || len(x.XClient) != maxNames {
		t.Errorf("%d mechanisms and %d attributes are kept", len(x.Mechanisms), len(x.XClient))
	}
}

func TestSetsOfExtensions(t *testing.T) {
	s := SetOf(ExtDSN, ExtSize)
	if !s.Has(ExtDSN) || s.Has(ExtAuth) || s.Without(ExtDSN) != SetOf(ExtSize) || s.With(ExtSize) != s {
		t.Errorf("%b", s)
	}
	if extensionCount.String() != "" {
		t.Error("an extension that does not exist has a name")
	}
}
