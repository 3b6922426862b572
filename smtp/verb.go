package smtp

import "strings"

// Verb is the first word of a command. Two more stages of a dialogue that are
// answered, though nobody says a word for them, are counted as verbs:
// [Greeting] and [Dot].
type Verb uint8

// The verbs; [Verbs] tells of each.
const (
	VerbUnknown Verb = iota
	Greeting         // the connection was made
	VerbHELO
	VerbEHLO
	VerbLHLO
	VerbMAIL
	VerbRCPT
	VerbDATA
	Dot // the final dot of DATA
	VerbBDAT
	VerbRSET
	VerbNOOP
	VerbQUIT
	VerbVRFY
	VerbEXPN
	VerbHELP
	VerbSTARTTLS
	VerbAUTH
	VerbETRN
	VerbXCLIENT
)

// VerbInfo tells of a verb: how it is written, what it is for, and which codes
// may answer it. [Common] codes may answer any of them and are not repeated.
type VerbInfo struct {
	Verb    Verb
	Name    string
	Syntax  string
	Summary string
	Source  string
	Alias   string // a misspelling that is understood when the grammar is not strict
	Replies []Code
}

// Common lists the codes that may answer any verb: RFC 5321, 4.3.2, and 530
// for a server that wants STARTTLS or AUTH first (RFC 3207, 4; RFC 4954, 6).
var Common = []Code{CodeUnavailable, CodeUnrecognized, CodeSyntax, CodeAuthRequired}

// Verbs is the contract of the dialogue: RFC 5321, 4.3.2, with what each
// extension adds.
var Verbs = []VerbInfo{
	{Greeting, "CONNECT", "", "The connection was made; the server greets", "RFC 5321, 3.1; RFC 7504, 3", "", []Code{220, 521, 554}},
	{VerbHELO, "HELO", "HELO domain", "Identify the client; without extensions", "RFC 5321, 4.1.1.1", "HELLO", []Code{250, 502, 504, 521, 550}},
	{VerbEHLO, "EHLO", "EHLO domain | address-literal", "Identify the client and ask for the extensions", "RFC 5321, 4.1.1.1", "", []Code{250, 502, 504, 521, 550}},
	{VerbLHLO, "LHLO", "LHLO domain", "Identify the client of LMTP and ask for the extensions", "RFC 2033, 4.1", "", []Code{250, 502, 504, 550}},
	{VerbMAIL, "MAIL", "MAIL FROM:<reverse-path> [parameters]", "Begin a transaction: name the sender, clear all buffers", "RFC 5321, 4.1.1.2", "", []Code{250, 450, 451, 452, 455, 503, 504, 521, 550, 552, 553, 554, 555}},
	{VerbRCPT, "RCPT", "RCPT TO:<forward-path> [parameters]", "Name one recipient", "RFC 5321, 4.1.1.3; RFC 7504, 4", "", []Code{250, 251, 450, 451, 452, 455, 503, 504, 550, 551, 552, 553, 554, 555, 556}},
	{VerbDATA, "DATA", "DATA", "Send the message text, ended by a line with a single dot", "RFC 5321, 4.1.1.4", "", []Code{354, 450, 451, 452, 502, 503, 550, 552, 554}},
	{Dot, ".", ".", "The end of the message text", "RFC 5321, 4.1.1.4; draft-hall-prdr-00", "", []Code{250, 353, 450, 451, 452, 550, 552, 553, 554}},
	{VerbBDAT, "BDAT", "BDAT octets [LAST]", "Send a chunk of the message", "RFC 3030, 2; draft-hall-prdr-00", "", []Code{250, 353, 450, 451, 452, 502, 503, 550, 552, 553, 554}},
	{VerbRSET, "RSET", "RSET", "Give up the transaction", "RFC 5321, 4.1.1.5", "REST", []Code{250}},
	{VerbNOOP, "NOOP", "NOOP [string]", "Do nothing but answer", "RFC 5321, 4.1.1.9", "", []Code{250}},
	{VerbQUIT, "QUIT", "QUIT", "End the session", "RFC 5321, 4.1.1.10", "", []Code{221}},
	{VerbVRFY, "VRFY", "VRFY user | mailbox [SMTPUTF8]", "Ask whether a user or mailbox exists", "RFC 5321, 4.1.1.6", "", []Code{250, 251, 252, 450, 451, 502, 504, 550, 551, 553}},
	{VerbEXPN, "EXPN", "EXPN list [SMTPUTF8]", "Ask who is on a mailing list", "RFC 5321, 4.1.1.7", "", []Code{250, 252, 450, 451, 502, 504, 550, 553}},
	{VerbHELP, "HELP", "HELP [verb | STATUS]", "Ask for help", "RFC 5321, 4.1.1.8", "", []Code{211, 214, 502, 504}},
	{VerbSTARTTLS, "STARTTLS", "STARTTLS", "Go over to TLS", "RFC 3207, 4", "", []Code{220, 454, 502, 503}},
	{VerbAUTH, "AUTH", "AUTH mechanism [initial-response]", "Prove who you are", "RFC 4954, 4", "", []Code{235, 334, 432, 451, 454, 502, 503, 504, 523, 534, 535, 538, 550, 554}},
	{VerbETRN, "ETRN", "ETRN [@|#]node", "Ask that queued mail for a node be sent now", "RFC 1985, 5", "", []Code{250, 251, 252, 253, 458, 459, 502, 503}},
	{VerbXCLIENT, "XCLIENT", "XCLIENT name=value ...", "A trusted proxy tells who its client is", "Postfix XCLIENT_README", "", []Code{220, 502, 503, 550}},
}

func (v Verb) info() *VerbInfo {
	if v == VerbUnknown || int(v) > len(Verbs) {
		return nil
	}
	return &Verbs[v-1]
}

// String prints the verb as it is said, "CONNECT" for the greeting and "." for
// the final dot, "" for an unknown one.
func (v Verb) String() string {
	if i := v.info(); i != nil {
		return i.Name
	}
	return ""
}

// Permits reports whether the code may answer the verb. The answers to verbs
// that this package does not know are free.
func (v Verb) Permits(c Code) bool {
	i := v.info()
	if i == nil {
		return c.Valid()
	}
	return contains(i.Replies, c) || contains(Common, c)
}

func contains(codes []Code, c Code) bool {
	for _, x := range codes {
		if x == c {
			return true
		}
	}
	return false
}

// ParseVerb finds the verb of a word, in any case. With aliases, the
// misspellings of old texts are understood too: HELLO and REST.
func ParseVerb(word string, aliases bool) Verb {
	for i := range Verbs {
		info := &Verbs[i]
		if info.Verb == Greeting || info.Verb == Dot {
			continue
		}
		if equalFold(info.Name, word) || aliases && info.Alias != "" && equalFold(info.Alias, word) {
			return info.Verb
		}
	}
	return VerbUnknown
}

// equalFold compares a word of the protocol, in ASCII, with one that was read.
// Equal lengths keep out what Unicode counts as the same letter: U+017F, the
// long s, is two octets.
func equalFold(word, read string) bool {
	return len(word) == len(read) && (word == "" || (word[0]^read[0])&^0x20 == 0) && strings.EqualFold(word, read)
}

// upper turns a word into capitals, if it is ASCII.
func upper(s string) string {
	if !isASCII(s) {
		return s
	}
	return strings.ToUpper(s)
}
