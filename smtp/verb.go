package smtp

import "slices"

// Verb is the first word of a command. Two stages of a dialogue get a reply
// though the client says no word for them, and count as verbs here: [Greeting],
// when the connection was made, and [Dot], at the end of the text.
type Verb uint8

// The verbs, each described in [Verbs].
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

// VerbInfo describes a verb: how it is written, what it is for, and which codes
// may answer it.
type VerbInfo struct {
	Verb    Verb
	Name    string // as it is said: "MAIL"
	Alias   string // another spelling that a Grammar accepts unless it is strict; usually ""
	Syntax  string // the whole command, for people; "" for the greeting
	Summary string // one line, for people
	Source  string // the document and section that define it
	Replies []Code // the codes that may answer it, besides those in Common
}

// Common lists the codes that may answer any verb: RFC 5321, 4.3.2, and 530
// for a server that wants STARTTLS or AUTH first (RFC 3207, 4; RFC 4954, 6).
var Common = []Code{CodeUnavailable, CodeUnrecognized, CodeSyntax, CodeAuthRequired}

// Verbs is the contract of the dialogue: RFC 5321, 4.3.2, with what each
// extension adds.
var Verbs = []VerbInfo{
	{
		Verb: Greeting, Name: "CONNECT",
		Summary: "The connection was made; the server greets", Source: "RFC 5321, 3.1; RFC 7504, 3",
		Replies: []Code{220, 521, 554},
	},
	{
		Verb: VerbHELO, Name: "HELO", Alias: "HELLO", Syntax: "HELO domain",
		Summary: "Identify the client; without extensions", Source: "RFC 5321, 4.1.1.1",
		Replies: []Code{250, 502, 504, 521, 550},
	},
	{
		Verb: VerbEHLO, Name: "EHLO", Syntax: "EHLO domain | address-literal",
		Summary: "Identify the client and ask for the extensions", Source: "RFC 5321, 4.1.1.1",
		Replies: []Code{250, 502, 504, 521, 550},
	},
	{
		Verb: VerbLHLO, Name: "LHLO", Syntax: "LHLO domain",
		Summary: "Identify the client of LMTP and ask for the extensions", Source: "RFC 2033, 4.1",
		Replies: []Code{250, 502, 504, 550},
	},
	{
		Verb: VerbMAIL, Name: "MAIL", Syntax: "MAIL FROM:<reverse-path> [parameters]",
		Summary: "Begin a transaction: name the sender, clear all buffers", Source: "RFC 5321, 4.1.1.2",
		Replies: []Code{250, 450, 451, 452, 455, 503, 504, 521, 550, 552, 553, 554, 555},
	},
	{
		Verb: VerbRCPT, Name: "RCPT", Syntax: "RCPT TO:<forward-path> [parameters]",
		Summary: "Name one recipient", Source: "RFC 5321, 4.1.1.3; RFC 7504, 4",
		Replies: []Code{250, 251, 450, 451, 452, 455, 503, 504, 550, 551, 552, 553, 554, 555, 556},
	},
	{
		Verb: VerbDATA, Name: "DATA", Syntax: "DATA",
		Summary: "Send the message text, ended by a line with a single dot", Source: "RFC 5321, 4.1.1.4",
		Replies: []Code{354, 450, 451, 452, 502, 503, 550, 552, 554},
	},
	{
		Verb: Dot, Name: ".", Syntax: ".",
		Summary: "The end of the message text", Source: "RFC 5321, 4.1.1.4; draft-hall-prdr-00",
		Replies: []Code{250, 353, 450, 451, 452, 550, 552, 553, 554},
	},
	{
		Verb: VerbBDAT, Name: "BDAT", Syntax: "BDAT octets [LAST]",
		Summary: "Send a chunk of the message", Source: "RFC 3030, 2; draft-hall-prdr-00",
		Replies: []Code{250, 353, 450, 451, 452, 502, 503, 550, 552, 553, 554},
	},
	{
		Verb: VerbRSET, Name: "RSET", Alias: "REST", Syntax: "RSET",
		Summary: "Give up the transaction", Source: "RFC 5321, 4.1.1.5",
		Replies: []Code{250},
	},
	{
		Verb: VerbNOOP, Name: "NOOP", Syntax: "NOOP [string]",
		Summary: "Do nothing but answer", Source: "RFC 5321, 4.1.1.9",
		Replies: []Code{250},
	},
	{
		Verb: VerbQUIT, Name: "QUIT", Syntax: "QUIT",
		Summary: "End the session", Source: "RFC 5321, 4.1.1.10",
		Replies: []Code{221},
	},
	{
		Verb: VerbVRFY, Name: "VRFY", Syntax: "VRFY user | mailbox [SMTPUTF8]",
		Summary: "Ask whether a user or mailbox exists", Source: "RFC 5321, 4.1.1.6",
		Replies: []Code{250, 251, 252, 450, 451, 502, 504, 550, 551, 553},
	},
	{
		Verb: VerbEXPN, Name: "EXPN", Syntax: "EXPN list [SMTPUTF8]",
		Summary: "Ask who is on a mailing list", Source: "RFC 5321, 4.1.1.7",
		Replies: []Code{250, 252, 450, 451, 502, 504, 550, 553},
	},
	{
		Verb: VerbHELP, Name: "HELP", Syntax: "HELP [verb | STATUS]",
		Summary: "Ask for help", Source: "RFC 5321, 4.1.1.8",
		Replies: []Code{211, 214, 502, 504},
	},
	{
		Verb: VerbSTARTTLS, Name: "STARTTLS", Syntax: "STARTTLS",
		Summary: "Go over to TLS", Source: "RFC 3207, 4",
		Replies: []Code{220, 454, 502, 503},
	},
	{
		Verb: VerbAUTH, Name: "AUTH", Syntax: "AUTH mechanism [initial-response]",
		Summary: "Prove who you are", Source: "RFC 4954, 4",
		Replies: []Code{235, 334, 432, 451, 454, 502, 503, 504, 523, 534, 535, 538, 550, 554},
	},
	{
		Verb: VerbETRN, Name: "ETRN", Syntax: "ETRN [@|#]node",
		Summary: "Ask that queued mail for a node be sent now", Source: "RFC 1985, 5",
		Replies: []Code{250, 251, 252, 253, 458, 459, 502, 503},
	},
	{
		Verb: VerbXCLIENT, Name: "XCLIENT", Syntax: "XCLIENT name=value ...",
		Summary: "A trusted proxy tells who its client is", Source: "Postfix XCLIENT_README",
		Replies: []Code{220, 502, 503, 550},
	},
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

// Permits reports whether the code may answer the verb. To VerbUnknown every
// valid code may.
func (v Verb) Permits(c Code) bool {
	i := v.info()
	if i == nil {
		return c.Valid()
	}
	return slices.Contains(i.Replies, c) || slices.Contains(Common, c)
}

// ParseVerb returns the verb that a word spells, in upper or lower case, or
// VerbUnknown. With aliases, HELLO and REST are read as HELO and RSET: so some
// descriptions of SMTP spell them.
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
