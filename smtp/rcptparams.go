package smtp

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Notify is the value of NOTIFY=: when to send a report (RFC 3461, 4.1).
// The zero value stands for no NOTIFY parameter: the server reports failures,
// and delays if it likes.
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
// (RFC 3461, 4.2). The zero value stands for no ORCPT parameter.
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

// RcptParams are the parameters of RCPT. A zero field is a parameter that is not
// given.
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
	switch {
	case o.isUTF8():
		if o.Addr, err = decodeUniText(addr); err != nil {
			return ORcpt{}, err
		}
	case equalFold("rfc822", typ) && !isPrintable(addr) && utf8.ValidString(addr) && !hasControl(addr):
		o.Type = "utf-8" // so it is (RFC 6533, 3), though Postfix 3.7 says rfc822
	}
	return o, o.check()
}
