package smtp

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Extension is a service extension that this package speaks.
type Extension uint8

// The extensions, each with the RFC that defines it.
const (
	ExtSize                Extension = iota // SIZE, RFC 1870
	Ext8BitMIME                             // 8BITMIME, RFC 6152
	ExtPipelining                           // PIPELINING, RFC 2920
	ExtChunking                             // CHUNKING, RFC 3030
	ExtBinaryMIME                           // BINARYMIME, RFC 3030
	ExtStartTLS                             // STARTTLS, RFC 3207
	ExtAuth                                 // AUTH, RFC 4954
	ExtEnhancedStatusCodes                  // ENHANCEDSTATUSCODES, RFC 2034
	ExtDSN                                  // DSN, RFC 3461
	ExtSMTPUTF8                             // SMTPUTF8, RFC 6531
	ExtDeliverBy                            // DELIVERBY, RFC 2852
	ExtFutureRelease                        // FUTURERELEASE, RFC 4865
	ExtMTPriority                           // MT-PRIORITY, RFC 6710
	ExtRequireTLS                           // REQUIRETLS, RFC 8689
	ExtLimits                               // LIMITS, RFC 9422
	ExtETRN                                 // ETRN, RFC 1985
	ExtPRDR                                 // PRDR, draft-hall-prdr-00
	ExtXClient                              // XCLIENT, Postfix
	ExtVRFY                                 // VRFY, RFC 5321, 4.1.1.6
	ExtEXPN                                 // EXPN, RFC 5321, 4.1.1.7
	ExtHELP                                 // HELP, RFC 5321, 4.1.1.8
	extensionCount
)

var extensionNames = [extensionCount]string{
	"SIZE", "8BITMIME", "PIPELINING", "CHUNKING", "BINARYMIME", "STARTTLS", "AUTH",
	"ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8", "DELIVERBY", "FUTURERELEASE", "MT-PRIORITY",
	"REQUIRETLS", "LIMITS", "ETRN", "PRDR", "XCLIENT", "VRFY", "EXPN", "HELP",
}

// String returns the keyword of the extension.
func (e Extension) String() string {
	if e >= extensionCount {
		return ""
	}
	return extensionNames[e]
}

// ExtensionSet is a set of extensions. The zero value is empty.
type ExtensionSet uint32

// SetOf returns the set of the given extensions.
func SetOf(exts ...Extension) ExtensionSet {
	var s ExtensionSet
	for _, e := range exts {
		s |= 1 << e
	}
	return s
}

// Has reports whether the set has e.
func (s ExtensionSet) Has(e Extension) bool { return s&(1<<e) != 0 }

// With returns the set with e.
func (s ExtensionSet) With(e Extension) ExtensionSet { return s | 1<<e }

// Without returns the set without e.
func (s ExtensionSet) Without(e Extension) ExtensionSet { return s &^ (1 << e) }

// Extensions is what a server offers in its reply to EHLO or LHLO, with the
// parameters of each extension. A parameter whose extension is not in the set
// means nothing.
type Extensions struct {
	Set ExtensionSet

	MaxSize      int64         // SIZE: octets of a message; 0: no fixed limit
	Mechanisms   []string      // AUTH: names of SASL mechanisms, in capitals
	DeliverByMin time.Duration // DELIVERBY: shortest time accepted; 0: not told
	HoldMax      time.Duration // FUTURERELEASE: longest HOLDFOR
	HoldUntilMax time.Time     // FUTURERELEASE: latest HOLDUNTIL
	Priorities   string        // MT-PRIORITY: name of the profile; "": not told
	Limits       Limits        // LIMITS
	XClient      []string      // XCLIENT: names of the attributes that may be given
	Other        []string      // lines with keywords that this package does not know
}

// Limits are the values of the LIMITS extension (RFC 9422, 4), that a client
// should keep to. Zero is "not told".
type Limits struct {
	MailMax       int // transactions of a session
	RcptMax       int // recipients of a transaction
	RcptDomainMax int // different recipient domains of a session
}

// Has reports whether the extension is offered.
func (x *Extensions) Has(e Extension) bool { return x.Set.Has(e) }

// Lines returns the lines of an EHLO reply behind the first, without codes.
func (x *Extensions) Lines() []string {
	var lines []string
	for e := range extensionCount {
		if x.Set.Has(e) {
			lines = append(lines, strings.Join(append([]string{e.String()}, x.params(e)...), " "))
		}
	}
	return append(lines, x.Other...)
}

func (x *Extensions) params(e Extension) []string {
	switch e {
	case ExtSize:
		return []string{strconv.FormatInt(max(x.MaxSize, 0), 10)}
	case ExtAuth:
		return x.Mechanisms
	case ExtDeliverBy:
		if x.DeliverByMin > 0 {
			return []string{seconds(x.DeliverByMin)}
		}
	case ExtFutureRelease:
		return []string{seconds(x.HoldMax), x.HoldUntilMax.UTC().Format(time.RFC3339)}
	case ExtMTPriority:
		if x.Priorities != "" {
			return []string{x.Priorities}
		}
	case ExtLimits:
		return x.Limits.params()
	case ExtXClient:
		return x.XClient
	}
	return nil
}

func (l Limits) params() []string {
	var p []string
	for _, v := range []struct {
		name  string
		value int
	}{{"MAILMAX", l.MailMax}, {"RCPTMAX", l.RcptMax}, {"RCPTDOMAINMAX", l.RcptDomainMax}} {
		if v.value > 0 {
			p = append(p, v.name+"="+strconv.Itoa(v.value))
		}
	}
	return p
}

// ParseExtensions reads the reply to EHLO or LHLO. The first line of the text
// is the server's greeting and no extension. Parameters that make no sense are
// passed over, as if they were not told.
func ParseExtensions(r *Reply) Extensions {
	var x Extensions
	_, rest, more := strings.Cut(r.Text, "\n")
	for more {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		x.parseLine(line)
	}
	return x
}

func (x *Extensions) parseLine(line string) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	name, params := upper(words[0]), words[1:]
	// "AUTH=LOGIN PLAIN" is how servers from before RFC 2554 say it.
	if mech, ok := strings.CutPrefix(name, "AUTH="); ok {
		name, params = "AUTH", append([]string{mech}, params...)
	}
	for e := range extensionCount {
		if extensionNames[e] == name {
			x.Set = x.Set.With(e)
			x.parseParams(e, params)
			return
		}
	}
	x.Other = append(x.Other, line)
}

func (x *Extensions) parseParams(e Extension, params []string) {
	switch e {
	case ExtAuth:
		x.Mechanisms = addNames(x.Mechanisms, params, isMechanism)
	case ExtXClient:
		x.XClient = addNames(x.XClient, params, isKeyword)
	case ExtLimits:
		x.Limits.parse(params)
	}
	if len(params) == 0 {
		return
	}
	switch e {
	case ExtSize:
		if n, err := strconv.ParseInt(params[0], 10, 64); err == nil && n > 0 {
			x.MaxSize = n
		}
	case ExtDeliverBy:
		x.DeliverByMin = parseSeconds(params[0])
	case ExtFutureRelease:
		x.HoldMax = parseSeconds(params[0])
		if len(params) > 1 {
			x.HoldUntilMax, _ = parseDateTime(params[1])
		}
	case ExtMTPriority:
		x.Priorities = params[0]
	}
}

// addNames adds the words that are names to list, in capitals and each once.
func addNames(list, words []string, isName func(string) bool) []string {
	for _, w := range words {
		if w = upper(w); len(list) < maxNames && isName(w) && !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	return list
}

// maxNames is how many names are taken from a list; more are no honest server's.
const maxNames = 64

func (l *Limits) parse(params []string) {
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			continue
		}
		switch upper(name) {
		case "MAILMAX":
			l.MailMax = n
		case "RCPTMAX":
			l.RcptMax = n
		case "RCPTDOMAINMAX":
			l.RcptDomainMax = n
		}
	}
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// parseSeconds reads a number of seconds, 0 if it is none or beyond nine digits.
func parseSeconds(s string) time.Duration {
	if len(s) > 9 {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
