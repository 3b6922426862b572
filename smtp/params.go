package smtp

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Body is the value of BODY=: what kind of octets the text has.
type Body string

// The kinds of body; the empty one is not told, and means 7-bit.
const (
	Body7Bit   Body = "7BIT"       // RFC 6152
	Body8Bit   Body = "8BITMIME"   // RFC 6152
	BodyBinary Body = "BINARYMIME" // RFC 3030
)

// Return is the value of RET=: how much of the message a failure report holds
// (RFC 3461, 4.3).
type Return string

// The values of RET=; the empty one is not told.
const (
	ReturnFull    Return = "FULL"
	ReturnHeaders Return = "HDRS"
)

// DeliverBy is the value of BY= (RFC 2852, 4). The zero value is "not told".
type DeliverBy struct {
	Within time.Duration // whole seconds; may be negative in mode ByNotify
	Mode   ByMode
	Trace  bool // report relaying
}

// ByMode says what happens when the time is over.
type ByMode byte

// The modes of BY=.
const (
	ByNone   ByMode = 0
	ByReturn ByMode = 'R' // return the message
	ByNotify ByMode = 'N' // notify the sender, and go on trying
)

// MaxPriority is the highest MT-PRIORITY; its negative is the lowest
// (RFC 6710, 4).
const MaxPriority = 9

// MaxEnvID is the greatest length of an ENVID in octets, as it is on the wire
// (RFC 3461, 4.4).
const MaxEnvID = 100

// MailParams are the parameters of MAIL. A zero field is not told.
type MailParams struct {
	Size       int64         // SIZE=: octets that the client expects to send (RFC 1870)
	Body       Body          // BODY= (RFC 6152, 3030)
	UTF8       bool          // SMTPUTF8 (RFC 6531)
	RequireTLS bool          // REQUIRETLS (RFC 8689)
	PRDR       bool          // PRDR (draft-hall-prdr-00)
	Auth       string        // AUTH=: a mailbox, or "<>" for unknown (RFC 4954, 5)
	Return     Return        // RET= (RFC 3461)
	EnvID      string        // ENVID=, decoded: printable ASCII (RFC 3461)
	By         DeliverBy     // BY= (RFC 2852)
	HoldFor    time.Duration // HOLDFOR=: whole seconds (RFC 4865)
	HoldUntil  time.Time     // HOLDUNTIL=: parts of a second are dropped (RFC 4865)
	Priority   int           // MT-PRIORITY=: -9 to 9 (RFC 6710)
}

// Uses returns the extensions that a server must offer for these parameters.
func (p *MailParams) Uses() ExtensionSet {
	var s ExtensionSet
	for _, u := range []struct {
		used bool
		ext  Extension
	}{
		{p.Size != 0, ExtSize},
		{p.Body != "", Ext8BitMIME},
		{p.Body == BodyBinary, ExtBinaryMIME},
		{p.UTF8, ExtSMTPUTF8},
		{p.RequireTLS, ExtRequireTLS},
		{p.PRDR, ExtPRDR},
		{p.Auth != "", ExtAuth},
		{p.Return != "" || p.EnvID != "", ExtDSN},
		{p.By.Mode != ByNone, ExtDeliverBy},
		{p.HoldFor != 0 || !p.HoldUntil.IsZero(), ExtFutureRelease},
		{p.Priority != 0, ExtMTPriority},
	} {
		if u.used {
			s = s.With(u.ext)
		}
	}
	return s
}

func (p *MailParams) append(dst []byte) []byte {
	if p.Size > 0 {
		dst = strconv.AppendInt(append(dst, " SIZE="...), p.Size, 10)
	}
	if p.Body != "" {
		dst = append(append(dst, " BODY="...), p.Body...)
	}
	if p.UTF8 {
		dst = append(dst, " SMTPUTF8"...)
	}
	if p.RequireTLS {
		dst = append(dst, " REQUIRETLS"...)
	}
	if p.PRDR {
		dst = append(dst, " PRDR"...)
	}
	if p.Auth != "" {
		dst = appendXText(append(dst, " AUTH="...), p.Auth)
	}
	if p.Return != "" {
		dst = append(append(dst, " RET="...), p.Return...)
	}
	if p.EnvID != "" {
		dst = appendXText(append(dst, " ENVID="...), p.EnvID)
	}
	return p.appendTimes(dst)
}

func (p *MailParams) appendTimes(dst []byte) []byte {
	if p.By.Mode != ByNone {
		dst = strconv.AppendInt(append(dst, " BY="...), int64(p.By.Within/time.Second), 10)
		dst = append(dst, ';', byte(p.By.Mode))
		if p.By.Trace {
			dst = append(dst, 'T')
		}
	}
	if p.HoldFor > 0 {
		dst = append(append(dst, " HOLDFOR="...), seconds(p.HoldFor)...)
	}
	if !p.HoldUntil.IsZero() {
		dst = p.HoldUntil.UTC().AppendFormat(append(dst, " HOLDUNTIL="...), time.RFC3339)
	}
	if p.Priority != 0 {
		dst = strconv.AppendInt(append(dst, " MT-PRIORITY="...), int64(p.Priority), 10)
	}
	return dst
}

// check holds parameters that a program built to the values that can be sent.
func (p *MailParams) check() error {
	switch {
	case p.Size < 0:
		return fmt.Errorf("SIZE=%d is negative", p.Size)
	case p.Body != "" && p.Body != Body7Bit && p.Body != Body8Bit && p.Body != BodyBinary:
		return fmt.Errorf("BODY=%q is unknown", p.Body)
	case p.Return != "" && p.Return != ReturnFull && p.Return != ReturnHeaders:
		return fmt.Errorf("RET=%q is unknown", p.Return)
	case xtextLen(p.EnvID) > MaxEnvID:
		return fmt.Errorf("ENVID is longer than %d octets", MaxEnvID)
	case !isPrintable(p.EnvID):
		return fmt.Errorf("ENVID %q is not printable ASCII", clip(p.EnvID))
	case !isAuth(p.Auth):
		return fmt.Errorf("AUTH=%q is no mailbox", clip(p.Auth))
	case p.Priority < -MaxPriority || p.Priority > MaxPriority:
		return fmt.Errorf("MT-PRIORITY=%d is beyond %d", p.Priority, MaxPriority)
	case p.HoldFor < 0 || p.HoldFor > longestTime || p.HoldFor%time.Second != 0:
		return fmt.Errorf("HOLDFOR=%v is out of range or not in whole seconds", p.HoldFor)
	case !p.HoldUntil.IsZero() && !isHoldUntil(p.HoldUntil):
		return fmt.Errorf("HOLDUNTIL=%v is out of range", p.HoldUntil)
	case p.HoldFor != 0 && !p.HoldUntil.IsZero():
		return errors.New("HOLDFOR and HOLDUNTIL exclude each other")
	}
	return p.By.check()
}

const longestTime = 999999999 * time.Second

func (b DeliverBy) check() error {
	switch {
	case b.Mode == ByNone && b == (DeliverBy{}), b.Mode == ByNotify:
	case b.Mode == ByReturn && b.Within > 0:
	case b.Mode == ByReturn:
		return errors.New("BY= in mode R must be a time above 0")
	default:
		return fmt.Errorf("BY= has no mode %q", string(rune(b.Mode)))
	}
	if b.Within > longestTime || b.Within < -longestTime || b.Within%time.Second != 0 {
		return fmt.Errorf("BY=%v is out of range or not in whole seconds", b.Within)
	}
	return nil
}

// Notify is the value of NOTIFY=: when to send a report (RFC 3461, 4.1).
// The zero value is not told: on failure, and on delay if the server likes.
type Notify uint8

// The conditions of NOTIFY=; NotifyNever excludes the others.
const (
	NotifyNever Notify = 1 << iota
	NotifySuccess
	NotifyFailure
	NotifyDelay
)

var notifyNames = []string{"NEVER", "SUCCESS", "FAILURE", "DELAY"}

// String prints the value as it is on the wire: "SUCCESS,FAILURE".
func (n Notify) String() string { return string(n.append(nil)) }

func (n Notify) append(dst []byte) []byte {
	comma := ""
	for i, name := range notifyNames {
		if n&(1<<i) != 0 {
			dst = append(append(dst, comma...), name...)
			comma = ","
		}
	}
	return dst
}

func parseNotify(s string) (Notify, error) {
	var n Notify
words:
	for word := range strings.SplitSeq(s, ",") {
		for i, name := range notifyNames {
			if equalFold(name, word) {
				n |= 1 << i
				continue words
			}
		}
		return 0, fmt.Errorf("%q is not NEVER, SUCCESS, FAILURE or DELAY", clip(word))
	}
	return n, n.check()
}

func (n Notify) check() error {
	if n&NotifyNever != 0 && n != NotifyNever {
		return errors.New("NEVER excludes the other conditions")
	}
	if n >= 1<<len(notifyNames) {
		return errors.New("unknown condition")
	}
	return nil
}

// MaxORcpt is the greatest length of the value of ORCPT= in octets
// (RFC 3461, 4.2).
const MaxORcpt = 500

// ORcpt is the value of ORCPT=: the recipient as the sender wrote it
// (RFC 3461, 4.2). The zero value is not told.
type ORcpt struct {
	Type string // "rfc822", "utf-8" (RFC 6533), or another address type
	Addr string // decoded: printable ASCII, and other characters in type "utf-8"
}

// String prints the value as reports do: "rfc822;a@b.example".
func (o ORcpt) String() string {
	if o.Type == "" {
		return ""
	}
	return o.Type + ";" + o.Addr
}

func (o ORcpt) check() error {
	if o == (ORcpt{}) {
		return nil
	}
	if !isKeyword(o.Type) {
		return fmt.Errorf("ORCPT: %q is no address type", clip(o.Type))
	}
	var coded [MaxORcpt]byte
	if o.Addr == "" || len(o.Addr) > MaxORcpt || len(o.Type)+1+len(o.appendAddr(coded[:0])) > MaxORcpt {
		return fmt.Errorf("ORCPT: address is empty, or longer than %d octets", MaxORcpt)
	}
	// A report has the address on a line of its own.
	if !isPrintable(o.Addr) && !(o.isUTF8() && utf8.ValidString(o.Addr) && !hasControl(o.Addr)) {
		return fmt.Errorf("ORCPT: %q is not printable in type %s", clip(o.Addr), o.Type)
	}
	return nil
}

func (o ORcpt) isUTF8() bool { return equalFold("utf-8", o.Type) }

func (o ORcpt) appendAddr(dst []byte) []byte {
	if o.isUTF8() {
		return appendUniText(dst, o.Addr)
	}
	return appendXText(dst, o.Addr)
}

// RcptParams are the parameters of RCPT. A zero field is not told.
type RcptParams struct {
	Notify Notify // NOTIFY= (RFC 3461)
	ORcpt  ORcpt  // ORCPT= (RFC 3461)
}

// Uses returns the extensions that a server must offer for these parameters.
func (p *RcptParams) Uses() ExtensionSet {
	if *p == (RcptParams{}) {
		return 0
	}
	return SetOf(ExtDSN)
}

func (p *RcptParams) append(dst []byte) []byte {
	if p.Notify != 0 {
		dst = p.Notify.append(append(dst, " NOTIFY="...))
	}
	if p.ORcpt.Type != "" {
		dst = append(append(dst, " ORCPT="...), p.ORcpt.Type...)
		dst = p.ORcpt.appendAddr(append(dst, ';'))
	}
	return dst
}

func (p *RcptParams) check() error {
	if err := p.Notify.check(); err != nil {
		return fmt.Errorf("NOTIFY: %w", err)
	}
	return p.ORcpt.check()
}

// param is one esmtp-param (RFC 5321, 4.1.2).
type param struct {
	name  string // in capitals
	value string
	has   bool // there was a '='
}

// eachParam splits the parameters behind a path and calls yield with each, until
// one is refused.
func eachParam(s string, yield func(param) *Reply) *Reply {
	seen := 0
	for s != "" {
		var word string
		word, s, _ = strings.Cut(s, " ")
		if word == "" {
			continue
		}
		if seen++; seen > maxParams {
			return Replyf(CodeSyntax, EnhancedCode{5, 5, 4}, "More than %d parameters", maxParams)
		}
		name, value, has := strings.Cut(word, "=")
		if !isKeyword(name) || has && value == "" {
			return Replyf(CodeSyntax, EnhancedCode{5, 5, 4}, "%q is no parameter", clip(word))
		}
		if r := yield(param{upper(name), value, has}); r != nil {
			return r
		}
	}
	return nil
}

const maxParams = 32

func isKeyword(s string) bool {
	for i := range len(s) {
		if !isLetDig(s[i]) && (s[i] != '-' || i == 0) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// mailParam is how one parameter of MAIL is read.
type mailParam struct {
	ext   Extension
	flag  bool // has no value
	parse func(p *MailParams, value string) error
}

var mailParams = map[string]mailParam{
	"SIZE":        {ExtSize, false, (*MailParams).parseSize},
	"BODY":        {Ext8BitMIME, false, (*MailParams).parseBody},
	"SMTPUTF8":    {ExtSMTPUTF8, true, func(p *MailParams, _ string) error { p.UTF8 = true; return nil }},
	"REQUIRETLS":  {ExtRequireTLS, true, func(p *MailParams, _ string) error { p.RequireTLS = true; return nil }},
	"PRDR":        {ExtPRDR, true, func(p *MailParams, _ string) error { p.PRDR = true; return nil }},
	"AUTH":        {ExtAuth, false, (*MailParams).parseAuth},
	"RET":         {ExtDSN, false, (*MailParams).parseReturn},
	"ENVID":       {ExtDSN, false, (*MailParams).parseEnvID},
	"BY":          {ExtDeliverBy, false, (*MailParams).parseBy},
	"HOLDFOR":     {ExtFutureRelease, false, (*MailParams).parseHoldFor},
	"HOLDUNTIL":   {ExtFutureRelease, false, (*MailParams).parseHoldUntil},
	"MT-PRIORITY": {ExtMTPriority, false, (*MailParams).parsePriority},
}

// parseMailParams reads what follows the path of MAIL. A parameter whose
// extension is not offered is refused like one that does not exist.
func parseMailParams(s string, offers ExtensionSet) (MailParams, *Reply) {
	if s == "" {
		return MailParams{}, nil
	}
	var p MailParams
	var seen []string
	r := eachParam(s, func(a param) *Reply {
		how, known := mailParams[a.name]
		if !known || !offers.Has(how.ext) {
			return unknownParam(a)
		}
		if slices.Contains(seen, a.name) {
			return badParam(a, errors.New("given twice"))
		}
		seen = append(seen, a.name)
		if how.flag == a.has {
			return badParam(a, errors.New("it takes no value, or lacks one"))
		}
		if err := how.parse(&p, a.value); err != nil {
			return badParam(a, err)
		}
		if p.Body == BodyBinary && !offers.Has(ExtBinaryMIME) {
			return Replyf(CodeParamNotImplemented, EnhancedCode{5, 5, 4}, "BODY=BINARYMIME is not offered here")
		}
		return nil
	})
	if r == nil && p.HoldFor != 0 && !p.HoldUntil.IsZero() {
		r = Replyf(CodeSyntax, EnhancedCode{5, 5, 4}, "HOLDFOR and HOLDUNTIL exclude each other")
	}
	return p, r
}

func parseRcptParams(s string, offers ExtensionSet) (RcptParams, *Reply) {
	var p RcptParams
	r := eachParam(s, func(a param) *Reply {
		var err error
		switch {
		case !offers.Has(ExtDSN):
			return unknownParam(a)
		case a.name == "NOTIFY" && p.Notify != 0 || a.name == "ORCPT" && p.ORcpt.Type != "":
			err = errors.New("given twice")
		case a.name == "NOTIFY":
			p.Notify, err = parseNotify(a.value)
		case a.name == "ORCPT":
			p.ORcpt, err = parseORcpt(a.value)
		default:
			return unknownParam(a)
		}
		if err != nil {
			return badParam(a, err)
		}
		return nil
	})
	return p, r
}

func unknownParam(a param) *Reply {
	return Replyf(CodeParamUnknown, EnhancedCode{5, 5, 4}, "Parameter %s is not known or not offered here", clip(a.name))
}

func badParam(a param, err error) *Reply {
	return Replyf(CodeSyntax, EnhancedCode{5, 5, 4}, "Parameter %s: %v", clip(a.name), err)
}

func parseORcpt(value string) (ORcpt, error) {
	typ, addr, _ := strings.Cut(value, ";")
	addr, err := decodeXText(addr)
	if err != nil {
		return ORcpt{}, err
	}
	o := ORcpt{typ, addr}
	if o.Type == "" {
		return ORcpt{}, errors.New("has no address type")
	}
	if o.isUTF8() {
		if o.Addr, err = decodeUniText(addr); err != nil {
			return ORcpt{}, err
		}
	}
	return o, o.check()
}

func (p *MailParams) parseSize(v string) (err error) {
	// RFC 1870, 3: up to 20 digits.
	if len(v) > 20 || !allDigits(v) {
		return errors.New("is no number of octets")
	}
	if p.Size, err = strconv.ParseInt(v, 10, 64); err != nil {
		return errors.New("is beyond any limit")
	}
	return nil
}

func (p *MailParams) parseBody(v string) error {
	switch b := Body(upper(v)); b {
	case Body7Bit, Body8Bit, BodyBinary:
		p.Body = b
		return nil
	}
	return fmt.Errorf("%q is not 7BIT, 8BITMIME or BINARYMIME", clip(v))
}

func (p *MailParams) parseAuth(v string) error {
	v, err := decodeXText(v)
	if err != nil {
		return err
	}
	if p.Auth = v; v == "" || !isAuth(v) {
		return fmt.Errorf("%q is no mailbox", clip(v))
	}
	return nil
}

// isAuth reports whether v is a value of AUTH=; the empty one is not told.
func isAuth(v string) bool {
	if v == "" || v == "<>" {
		return true
	}
	_, err := ParseMailbox(v)
	return err == nil
}

func (p *MailParams) parseReturn(v string) error {
	switch r := Return(upper(v)); r {
	case ReturnFull, ReturnHeaders:
		p.Return = r
		return nil
	}
	return fmt.Errorf("%q is not FULL or HDRS", clip(v))
}

func (p *MailParams) parseEnvID(v string) (err error) {
	p.EnvID, err = decodeXText(v)
	switch {
	case err != nil:
		return err
	case !isPrintable(p.EnvID): // a report has it on a line of its own
		return errors.New("holds what is not printable ASCII")
	case xtextLen(p.EnvID) > MaxEnvID:
		return fmt.Errorf("is longer than %d octets", MaxEnvID)
	}
	return nil
}

func (p *MailParams) parseBy(v string) error {
	digits, mode, ok := strings.Cut(v, ";")
	digits, neg := strings.CutPrefix(digits, "-")
	if !neg {
		digits = strings.TrimPrefix(digits, "+")
	}
	if !ok || len(digits) > 9 || !allDigits(digits) {
		return errors.New("is not of the form BY=seconds;R or BY=seconds;N")
	}
	by := DeliverBy{Within: parseSeconds(digits)}
	if neg {
		by.Within = -by.Within
	}
	mode, by.Trace = strings.CutSuffix(upper(mode), "T")
	if len(mode) != 1 {
		return errors.New("has a mode other than R, N, RT or NT")
	}
	by.Mode = ByMode(mode[0])
	p.By = by
	return by.check()
}

func (p *MailParams) parseHoldFor(v string) error {
	if len(v) > 9 || !allDigits(v) {
		return errors.New("is no number of seconds")
	}
	p.HoldFor = parseSeconds(v)
	if p.HoldFor == 0 {
		return errors.New("must be above 0")
	}
	return nil
}

func (p *MailParams) parseHoldUntil(v string) (err error) {
	p.HoldUntil, err = parseDateTime(v)
	return err
}

// parseDateTime reads the date-time of RFC 3339, to the second.
func parseDateTime(v string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return time.Time{}, errors.New("is not of the form 2006-01-02T15:04:05Z")
	}
	t = t.UTC().Truncate(time.Second)
	if !isHoldUntil(t) {
		return time.Time{}, errors.New("is out of range")
	}
	return t, nil
}

// isHoldUntil reports whether an instant can be printed with a year of four
// digits, and is no slip.
func isHoldUntil(t time.Time) bool {
	y := t.UTC().Year()
	return y >= 1970 && y <= 9998
}

func (p *MailParams) parsePriority(v string) error {
	digit, neg := strings.CutPrefix(v, "-")
	if len(digit) != 1 || !isDigit(digit[0]) || neg && digit == "0" {
		return fmt.Errorf("is no number from %d to %d", -MaxPriority, MaxPriority)
	}
	p.Priority = int(digit[0] - '0')
	if neg {
		p.Priority = -p.Priority
	}
	return nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
