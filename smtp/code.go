package smtp

import "strconv"

// Code is the three-digit code of a reply (RFC 5321, 4.2).
type Code int

// The codes that the standards give to SMTP, each with its meaning in [Codes].
const (
	CodeSystemStatus         Code = 211
	CodeHelp                 Code = 214
	CodeReady                Code = 220
	CodeClosing              Code = 221
	CodeAuthenticated        Code = 235
	CodeOK                   Code = 250
	CodeWillForward          Code = 251
	CodeCannotVerify         Code = 252
	CodeMessagesPending      Code = 253
	CodeChallenge            Code = 334
	CodePerRecipient         Code = 353
	CodeStartData            Code = 354
	CodeUnavailable          Code = 421
	CodePasswordTransition   Code = 432
	CodeMailboxBusy          Code = 450
	CodeLocalError           Code = 451
	CodeInsufficientStorage  Code = 452
	CodeTemporaryAuthFailure Code = 454
	CodeCannotAccommodate    Code = 455
	CodeCannotQueue          Code = 458
	CodeNodeNotAllowed       Code = 459
	CodeUnrecognized         Code = 500
	CodeSyntax               Code = 501
	CodeNotImplemented       Code = 502
	CodeBadSequence          Code = 503
	CodeParamNotImplemented  Code = 504
	CodeNoMail               Code = 521
	CodeEncryptionNeeded     Code = 523
	CodeAuthRequired         Code = 530
	CodeMechanismTooWeak     Code = 534
	CodeBadCredentials       Code = 535
	CodeEncryptionRequired   Code = 538
	CodeMailboxUnavailable   Code = 550
	CodeNotLocal             Code = 551
	CodeExceededStorage      Code = 552
	CodeNameNotAllowed       Code = 553
	CodeFailed               Code = 554
	CodeParamUnknown         Code = 555
	CodeDomainNoMail         Code = 556
)

// CodeInfo is what the standards say of a code.
type CodeInfo struct {
	Code    Code
	Meaning string
	Source  string // the RFC and section that defines it
}

// Codes lists every code that this package knows, in ascending order.
var Codes = []CodeInfo{
	{CodeSystemStatus, "System status, or system help reply", "RFC 5321, 4.2.2"},
	{CodeHelp, "Help message, for a human reader", "RFC 5321, 4.2.2"},
	{CodeReady, "Service ready (the domain comes first); ready to start TLS", "RFC 5321, 4.2.2; RFC 3207, 4"},
	{CodeClosing, "Service closing transmission channel (the domain comes first)", "RFC 5321, 4.2.2"},
	{CodeAuthenticated, "Authentication succeeded", "RFC 4954, 6"},
	{CodeOK, "Requested mail action okay, completed", "RFC 5321, 4.2.2"},
	{CodeWillForward, "User not local; will forward to the path given", "RFC 5321, 3.4"},
	{CodeCannotVerify, "Cannot verify user, but will accept the message and attempt delivery", "RFC 5321, 3.5.3"},
	{CodeMessagesPending, "Messages are waiting for the node and are being sent", "RFC 1985, 5.3"},
	{CodeChallenge, "Server challenge, in base64", "RFC 4954, 4"},
	{CodePerRecipient, "Message received; a reply for each recipient follows", "draft-hall-prdr-00, 4.5"},
	{CodeStartData, "Start mail input; end with <CRLF>.<CRLF>", "RFC 5321, 4.2.2"},
	{
		CodeUnavailable, "Service not available, closing transmission channel (the domain comes first)",
		"RFC 5321, 4.2.2",
	},
	{CodePasswordTransition, "A password transition is needed", "RFC 4954, 6"},
	{
		CodeMailboxBusy, "Requested mail action not taken: mailbox unavailable (busy, or refused for now by policy)",
		"RFC 5321, 4.2.2",
	},
	{CodeLocalError, "Requested action aborted: local error in processing", "RFC 5321, 4.2.2"},
	{
		CodeInsufficientStorage, "Requested action not taken: insufficient system storage, or too many recipients",
		"RFC 5321, 4.2.2 and 4.5.3.1.10",
	},
	{
		CodeTemporaryAuthFailure, "Temporary authentication failure; TLS not available for a temporary reason",
		"RFC 4954, 6; RFC 3207, 4",
	},
	{CodeCannotAccommodate, "Server unable to accommodate parameters", "RFC 5321, 4.2.2"},
	{CodeCannotQueue, "Unable to queue messages for the node", "RFC 1985, 5.3"},
	{CodeNodeNotAllowed, "Node not allowed", "RFC 1985, 5.3"},
	{CodeUnrecognized, "Syntax error, command unrecognized (or the line is too long)", "RFC 5321, 4.2.2"},
	{CodeSyntax, "Syntax error in parameters or arguments", "RFC 5321, 4.2.2"},
	{CodeNotImplemented, "Command not implemented", "RFC 5321, 4.2.2"},
	{CodeBadSequence, "Bad sequence of commands", "RFC 5321, 4.2.2"},
	{CodeParamNotImplemented, "Command parameter not implemented", "RFC 5321, 4.2.2"},
	{CodeNoMail, "Host does not accept mail", "RFC 7504, 3"},
	{CodeEncryptionNeeded, "Encryption needed", "RFC 5248, 2.4"},
	{CodeAuthRequired, "Authentication required; STARTTLS must come first", "RFC 4954, 6; RFC 3207, 4"},
	{CodeMechanismTooWeak, "Authentication mechanism is too weak", "RFC 4954, 6"},
	{CodeBadCredentials, "Authentication credentials invalid", "RFC 4954, 6"},
	{CodeEncryptionRequired, "Encryption required for the requested authentication mechanism", "RFC 4954, 6"},
	{
		CodeMailboxUnavailable, "Requested action not taken: mailbox unavailable (not found, no access, or refused by policy)",
		"RFC 5321, 4.2.2",
	},
	{CodeNotLocal, "User not local; please try the path given", "RFC 5321, 3.4"},
	{
		CodeExceededStorage, "Requested mail action aborted: exceeded storage allocation, or message too large",
		"RFC 5321, 4.2.2; RFC 1870, 6",
	},
	{CodeNameNotAllowed, "Requested action not taken: mailbox name not allowed", "RFC 5321, 4.2.2"},
	{CodeFailed, "Transaction failed; no SMTP service here (in place of a greeting)", "RFC 5321, 4.2.2 and 3.1"},
	{CodeParamUnknown, "MAIL FROM or RCPT TO parameters not recognized or not implemented", "RFC 5321, 4.2.2"},
	{CodeDomainNoMail, "Domain does not accept mail", "RFC 7504, 4"},
}

// Meaning returns what the standards say of the code, or "" for a code that
// they do not define.
func (c Code) Meaning() string {
	for i := range Codes {
		if Codes[i].Code == c {
			return Codes[i].Meaning
		}
	}
	return ""
}

// Positive reports whether the code is a completion or an intermediate reply
// (2yz or 3yz).
func (c Code) Positive() bool { return c >= 200 && c < 400 }

// Temporary reports whether the code is a transient failure (4yz).
func (c Code) Temporary() bool { return c >= 400 && c < 500 }

// Permanent reports whether the code is a permanent failure (5yz).
func (c Code) Permanent() bool { return c >= 500 && c < 600 }

// Valid reports whether the code can stand in a reply: three digits of which
// the first is 2 to 5 and the second 0 to 5 (RFC 5321, 4.2).
func (c Code) Valid() bool { return c >= 200 && c < 600 && c/10%10 <= 5 }

func (c Code) String() string { return strconv.Itoa(int(c)) }
