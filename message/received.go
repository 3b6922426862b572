package message

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// Received is the trace that a host leaves on a message it takes in
// (RFC 5321, 4.4). Whatever stands in its fields, what it prints is one header
// field: a character with no place there is printed as "?".
type Received struct {
	Helo string     // what the client called itself: a domain or an address literal
	Addr netip.Addr // its address; invalid if it is not known
	Host string     // the verified name of Addr; empty if there is none
	By   string     // our own name
	Via  string     // the link, if it was not TCP; usually empty
	With string     // the protocol: what Protocol.String returns, or another registered word
	TLS  string     // a comment after the protocol, as "TLS1.3 TLS_AES_128_GCM_SHA256"
	ID   string     // our name for the message: a word or a msg-id
	// For is the addr-spec of the recipient. Set it only if there is just one:
	// others would learn of each other (RFC 5321, 7.2). It is left out if it is
	// malformed, or not ASCII while With is no UTF8 protocol.
	For  string
	Date time.Time // zero means now
}

// longestHost is how long a domain may be (RFC 5321, 4.5.3.1.2). Longer names are
// cut.
const longestHost = 255

// String prints the field with name, folding and line end.
func (r Received) String() string {
	f := folder{buf: make([]byte, 0, 512)}
	f.begin("Received")
	f.clause("from", hostWord(r.Helo))
	r.tcpInfo(&f)
	f.clause("by", hostWord(r.By))
	f.option("via", atomWord(r.Via))
	f.option("with", atomWord(r.With))
	if tls := commentText(r.TLS); tls != "" {
		f.clause(strings.Split("("+tls+")", " ")...)
	}
	f.option("id", r.id())
	f.option("for", r.forPath())
	f.glue(";")
	f.word(FormatDate(orNow(r.Date)))
	f.breakLine()
	return string(f.buf)
}

// clause prints words together on a line if they fit on one at all.
func (f *folder) clause(words ...string) {
	all := len(words) - 1
	for _, w := range words {
		all += len(w)
	}
	if all > 0 && all <= longestWord && !f.fits(" ", all) {
		f.breakLine()
	}
	for _, w := range words {
		f.word(w)
	}
}

// option prints a clause, unless its value is empty.
func (f *folder) option(name, value string) {
	if value != "" {
		f.clause(name, value)
	}
}

// tcpInfo prints the TCP-info of RFC 5321, 4.4, in parentheses: what we know of the
// client, and not what it says of itself.
func (r *Received) tcpInfo(f *folder) {
	if !r.Addr.IsValid() {
		return
	}
	var room [64]byte
	literal := room[:0]
	if r.Host == "" {
		literal = append(literal, '(')
	}
	literal = append(literal, '[')
	addr := r.Addr.Unmap().WithZone("")
	if addr.Is6() {
		literal = append(literal, "IPv6:"...)
	}
	literal = append(addr.AppendTo(literal), "])"...)
	if r.Host == "" {
		f.clause(string(literal))
	} else {
		f.clause("("+hostWord(r.Host), string(literal))
	}
}

func (r *Received) id() string {
	if strings.Contains(r.ID, "@") {
		if id, err := msgID(r.ID, false); err == nil {
			return id
		}
	}
	return atomWord(r.ID)
}

func (r *Received) forPath() string {
	spec, err := Address{Addr: r.For}.spec(strings.HasPrefix(r.With, "UTF8"))
	if err != nil || len(spec) > 2*longestHost {
		return ""
	}
	return "<" + spec + ">"
}

// hostWord makes a domain or address literal of what a stranger said.
func hostWord(s string) string {
	if s == "" {
		return "unknown"
	}
	s = s[:min(len(s), longestHost)]
	if !isASCII(s) {
		if a, err := idna.Lookup.ToASCII(s); err == nil {
			s = a
		}
	}
	return replaceBytes(s, func(c byte) bool {
		return isAlphanumeric(c) || strings.IndexByte("-._:[]", c) >= 0
	})
}

func atomWord(s string) string {
	return replaceBytes(s[:min(len(s), longestHost)], func(c byte) bool { return isAtext(c) || c == '.' })
}

// commentText makes s fit between parentheses.
func commentText(s string) string {
	s = strings.Join(strings.Fields(s[:min(len(s), longestHost)]), " ")
	return replaceBytes(s, func(c byte) bool {
		return c >= ' ' && c < 0x7f && strings.IndexByte(`()\`, c) < 0
	})
}

// replaceBytes returns s with "?" for each byte that is not ok.
func replaceBytes(s string, ok func(byte) bool) string {
	i := 0
	for i < len(s) && ok(s[i]) {
		i++
	}
	if i == len(s) {
		return s // as nearly always
	}
	b := []byte(s)
	for ; i < len(b); i++ {
		if !ok(b[i]) {
			b[i] = '?'
		}
	}
	return string(b)
}

// Protocol tells how a message came, for the with clause of a [Received].
type Protocol struct {
	Extended bool // EHLO, not HELO
	LMTP     bool
	TLS      bool
	Auth     bool
	UTF8     bool // MAIL had SMTPUTF8
}

// String returns the registered word (RFC 3848; RFC 6531, 4.3): SMTP, ESMTPSA,
// UTF8LMTP and so on. Without EHLO or LHLO there is neither TLS nor the rest.
func (p Protocol) String() string {
	word := "ESMTP"
	switch {
	case p.LMTP && p.UTF8:
		word = "UTF8LMTP"
	case p.LMTP:
		word = "LMTP"
	case !p.Extended:
		return "SMTP"
	case p.UTF8:
		word = "UTF8SMTP"
	}
	if p.TLS {
		word += "S"
	}
	if p.Auth {
		word += "A"
	}
	return word
}

// ReturnPath prints the field that final delivery puts first (RFC 5321, 4.4),
// with its line end: the addr-spec of the sender, or empty for the null path.
// The error says that it is not an addr-spec.
func ReturnPath(sender string) (string, error) {
	if sender != "" {
		if _, _, err := splitAddr(sender); err != nil {
			return "", &FieldError{"Return-Path", err}
		}
	}
	if len(sender) > hardLine-len("Return-Path: <>") {
		return "", &FieldError{"Return-Path", errors.New("is too long for a line")}
	}
	return "Return-Path: <" + sender + ">\r\n", nil
}
