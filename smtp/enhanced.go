package smtp

import (
	"strconv"
	"strings"
)

// EnhancedCode is a code of RFC 3463: class, subject and detail. The zero
// value stands for "none".
type EnhancedCode [3]int

// IsZero reports whether there is no code.
func (e EnhancedCode) IsZero() bool { return e == EnhancedCode{} }

// String prints the code as "5.1.1", or "" for none.
func (e EnhancedCode) String() string {
	if e.IsZero() {
		return ""
	}
	return string(e.append(nil))
}

func (e EnhancedCode) append(dst []byte) []byte {
	dst = strconv.AppendInt(dst, int64(e[0]), 10)
	dst = strconv.AppendInt(append(dst, '.'), int64(e[1]), 10)
	return strconv.AppendInt(append(dst, '.'), int64(e[2]), 10)
}

// valid holds the code to the grammar of RFC 3463, 2, and RFC 2034, 4: the
// class is 2, 4 or 5, subject and detail have at most three digits.
func (e EnhancedCode) valid() bool {
	return (e[0] == 2 || e[0] == 4 || e[0] == 5) && e[1] >= 0 && e[1] <= 999 && e[2] >= 0 && e[2] <= 999
}

// ParseEnhancedCode reads a code such as "4.2.2" that is all of s.
func ParseEnhancedCode(s string) (EnhancedCode, bool) {
	e, rest, ok := cutEnhanced(s)
	if !ok || rest != "" || strings.HasSuffix(s, " ") {
		return EnhancedCode{}, false
	}
	return e, true
}

// cutEnhanced reads a code at the start of s. What follows must be a space or
// the end; rest is what comes behind that space.
func cutEnhanced(s string) (e EnhancedCode, rest string, ok bool) {
	rest = s
	for i := range e {
		n := 0
		for n < len(rest) && n < 4 && rest[n] >= '0' && rest[n] <= '9' {
			e[i] = e[i]*10 + int(rest[n]-'0')
			n++
		}
		if n == 0 || n > 3 {
			return EnhancedCode{}, s, false
		}
		rest = rest[n:]
		if i < 2 {
			if rest, ok = strings.CutPrefix(rest, "."); !ok {
				return EnhancedCode{}, s, false
			}
		}
	}
	if !e.valid() {
		return EnhancedCode{}, s, false
	}
	if rest == "" {
		return e, "", true
	}
	if rest, ok = strings.CutPrefix(rest, " "); !ok {
		return EnhancedCode{}, s, false
	}
	return e, rest, true
}

// Meaning returns what the registry says of subject and detail, or "" for a
// pair that it does not list.
func (e EnhancedCode) Meaning() string {
	for i := range EnhancedCodes {
		if r := &EnhancedCodes[i]; r.Subject == e[1] && r.Detail == e[2] {
			return r.Meaning
		}
	}
	return ""
}

// EnhancedInfo is what the registry (RFC 5248) says of the codes
// X.Subject.Detail.
type EnhancedInfo struct {
	Subject, Detail int
	Meaning         string
	Source          string
}

// EnhancedCodes lists the codes of the registry, in ascending order.
var EnhancedCodes = []EnhancedInfo{
	{0, 0, "Other undefined status", "RFC 3463"},
	{1, 0, "Other address status", "RFC 3463"},
	{1, 1, "Bad destination mailbox address", "RFC 3463"},
	{1, 2, "Bad destination system address", "RFC 3463"},
	{1, 3, "Bad destination mailbox address syntax", "RFC 3463"},
	{1, 4, "Destination mailbox address ambiguous", "RFC 3463"},
	{1, 5, "Destination address valid", "RFC 3463"},
	{1, 6, "Destination mailbox has moved, no forwarding address", "RFC 3463"},
	{1, 7, "Bad sender's mailbox address syntax", "RFC 3463"},
	{1, 8, "Bad sender's system address", "RFC 3463"},
	{1, 9, "Message relayed to a non-compliant mailer", "RFC 3886"},
	{1, 10, "Recipient address has null MX", "RFC 7505"},
	{2, 0, "Other or undefined mailbox status", "RFC 3463"},
	{2, 1, "Mailbox disabled, not accepting messages", "RFC 3463"},
	{2, 2, "Mailbox full", "RFC 3463"},
	{2, 3, "Message length exceeds administrative limit", "RFC 3463"},
	{2, 4, "Mailing list expansion problem", "RFC 3463"},
	{3, 0, "Other or undefined mail system status", "RFC 3463"},
	{3, 1, "Mail system full", "RFC 3463"},
	{3, 2, "System not accepting network messages", "RFC 3463; RFC 7504"},
	{3, 3, "System not capable of selected features", "RFC 3463"},
	{3, 4, "Message too big for system", "RFC 3463"},
	{3, 5, "System incorrectly configured", "RFC 3463"},
	{3, 6, "Requested priority was changed", "RFC 6710"},
	{4, 0, "Other or undefined network or routing status", "RFC 3463"},
	{4, 1, "No answer from host", "RFC 3463"},
	{4, 2, "Bad connection", "RFC 3463"},
	{4, 3, "Directory server failure", "RFC 3463"},
	{4, 4, "Unable to route", "RFC 3463"},
	{4, 5, "Mail system congestion", "RFC 3463"},
	{4, 6, "Routing loop detected", "RFC 3463"},
	{4, 7, "Delivery time expired", "RFC 3463"},
	{5, 0, "Other or undefined protocol status", "RFC 3463"},
	{5, 1, "Invalid command", "RFC 3463"},
	{5, 2, "Syntax error", "RFC 3463"},
	{5, 3, "Too many recipients", "RFC 3463"},
	{5, 4, "Invalid command arguments", "RFC 3463"},
	{5, 5, "Wrong protocol version", "RFC 3463"},
	{5, 6, "Authentication exchange line is too long", "RFC 4954"},
	{6, 0, "Other or undefined media error", "RFC 3463"},
	{6, 1, "Media not supported", "RFC 3463"},
	{6, 2, "Conversion required and prohibited", "RFC 3463"},
	{6, 3, "Conversion required but not supported", "RFC 3463"},
	{6, 4, "Conversion with loss performed", "RFC 3463"},
	{6, 5, "Conversion failed", "RFC 3463"},
	{6, 6, "Message content not available", "RFC 4468"},
	{6, 7, "Non-ASCII addresses not permitted for that sender or recipient", "RFC 6531"},
	{6, 8, "UTF-8 string reply is required, but not permitted by the client", "RFC 6531"},
	{6, 9, "UTF-8 header message cannot be transferred to one or more recipients", "RFC 6531"},
	{7, 0, "Other or undefined security status", "RFC 3463"},
	{7, 1, "Delivery not authorized, message refused", "RFC 3463"},
	{7, 2, "Mailing list expansion prohibited", "RFC 3463"},
	{7, 3, "Security conversion required but not possible", "RFC 3463"},
	{7, 4, "Security features not supported", "RFC 3463"},
	{7, 5, "Cryptographic failure", "RFC 3463"},
	{7, 6, "Cryptographic algorithm not supported", "RFC 3463"},
	{7, 7, "Message integrity failure", "RFC 3463"},
	{7, 8, "Authentication credentials invalid", "RFC 4954"},
	{7, 9, "Authentication mechanism is too weak", "RFC 4954"},
	{7, 10, "Encryption needed", "RFC 5248"},
	{7, 11, "Encryption required for requested authentication mechanism", "RFC 4954"},
	{7, 12, "A password transition is needed", "RFC 4954"},
	{7, 13, "User account disabled", "RFC 5248"},
	{7, 14, "Trust relationship required", "RFC 5248"},
	{7, 15, "Priority level is too low", "RFC 6710"},
	{7, 16, "Message is too big for the specified priority", "RFC 6710"},
	{7, 17, "Mailbox owner has changed", "RFC 7293"},
	{7, 18, "Domain owner has changed", "RFC 7293"},
	{7, 19, "RRVS test cannot be completed", "RFC 7293"},
	{7, 20, "No passing DKIM signature found", "RFC 7372"},
	{7, 21, "No acceptable DKIM signature found", "RFC 7372"},
	{7, 22, "No valid author-matched DKIM signature found", "RFC 7372"},
	{7, 23, "SPF validation failed", "RFC 7372"},
	{7, 24, "SPF validation error", "RFC 7372"},
	{7, 25, "Reverse DNS validation failed", "RFC 7372"},
	{7, 26, "Multiple authentication checks failed", "RFC 7372"},
	{7, 27, "Sender address has null MX", "RFC 7505"},
	{7, 28, "Mail flood detected", "IANA registry"},
	{7, 29, "ARC validation failure", "RFC 8617"},
	{7, 30, "REQUIRETLS support required", "RFC 8689"},
}
