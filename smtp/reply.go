package smtp

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits on a reply that is read.
const (
	MaxReplyLine  = 2048      // octets of a line, CRLF included; RFC 5321, 4.5.3.1.5, asks for 512
	MaxReplyLines = 256       // lines of a reply
	MaxReplyBytes = 64 * 1024 // octets of the text of all lines but the last
)

// maxReplyLine is the longest reply line that is printed, CRLF included
// (RFC 5321, 4.5.3.1.5).
const maxReplyLine = 512

// Reply is what a server answers (RFC 5321, 4.2). It is an error, so that a
// refusal can be returned through code that knows nothing of SMTP.
type Reply struct {
	Code     Code
	Enhanced EnhancedCode // zero: none (RFC 2034)
	Text     string       // lines separated by "\n"
}

// Replyf makes a reply with an enhanced code.
func Replyf(code Code, enhanced EnhancedCode, format string, args ...any) *Reply {
	return &Reply{code, enhanced, fmt.Sprintf(format, args...)}
}

// Error prints the reply on one line: "550 5.1.1 no such user". Control
// characters are printed as '?', as by [Reply.Append].
func (r *Reply) Error() string {
	b := strconv.AppendInt(nil, int64(r.Code), 10)
	if !r.Enhanced.IsZero() {
		b = r.Enhanced.append(append(b, ' '))
	}
	for line := range strings.SplitSeq(r.Text, "\n") {
		b = appendClean(append(b, ' '), line, true)
	}
	return string(b)
}

// Append prints the reply with the CRLF of each line. Whatever the text
// carries, it cannot end a line early: control characters are printed as '?',
// and so is everything that is not ASCII unless utf8 is set (RFC 6531,
// 3.7.4.2). A line that would be longer than 512 octets is broken in two.
func (r *Reply) Append(dst []byte, utf8 bool) []byte {
	text, more := r.Text, true
	for more {
		start := len(dst)
		dst = strconv.AppendInt(dst, int64(r.Code), 10)
		mark := len(dst)
		dst = append(dst, ' ')
		if !r.Enhanced.IsZero() {
			dst = append(r.Enhanced.append(dst), ' ')
		}
		var line string
		line, text, more = cutLine(text, maxReplyLine-len("\r\n")-(len(dst)-start))
		if more {
			dst[mark] = '-'
		}
		dst = append(appendClean(dst, line, utf8), '\r', '\n')
	}
	return dst
}

// cutLine takes the first line off text, at most room octets of it and never
// half a character.
func cutLine(text string, room int) (line, rest string, more bool) {
	// No further than room: the rest is looked at when its turn comes.
	if i := strings.IndexByte(text[:min(len(text), room+1)], '\n'); i >= 0 {
		return text[:i], text[i+1:], true
	}
	if len(text) <= room {
		return text, "", false
	}
	at := room
	for at > room-utf8.UTFMax && !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at], text[at:], true
}

// appendClean appends s without what does not belong into a reply.
func appendClean(dst []byte, s string, allowUTF8 bool) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\t' || c == 0x7f {
				c = '?'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if allowUTF8 && (r != utf8.RuneError || size > 1) && r >= 0xa0 {
			dst = append(dst, s[i:i+size]...)
		} else {
			dst = append(dst, '?')
		}
		i += size
	}
	return dst
}

// ErrReplyTooLong says that the other side's reply went past [MaxReplyLines]
// or [MaxReplyBytes].
var ErrReplyTooLong = errors.New("reply is too long")

// MalformedReplyError is a line that is no line of a reply.
type MalformedReplyError struct {
	Line   string // the start of it
	Reason string
}

func (e *MalformedReplyError) Error() string {
	return fmt.Sprintf("malformed reply %q: %s", e.Line, e.Reason)
}

// Reply reads a reply of one or more lines. An enhanced code that stands on
// each line is taken off each. Errors are those of [Reader.Line] (io.EOF only
// before the first line), [*MalformedReplyError] and [ErrReplyTooLong]; after any
// of them the two sides no longer agree on where they are, and the connection
// must be closed.
func (r *Reader) Reply() (*Reply, error) {
	reply := new(Reply)
	var text strings.Builder // of the second line and on
	for lines := 1; ; lines++ {
		raw, err := r.Line(MaxReplyLine)
		if err == io.EOF && lines > 1 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		code, last, rest, err := splitReplyLine(raw)
		if err != nil {
			return nil, err
		}
		if lines == 1 {
			reply.Code = code
			reply.Enhanced, reply.Text = takeEnhanced(code, rest)
		} else {
			if code != reply.Code {
				return nil, &MalformedReplyError{clip(string(raw)), "its code differs from that of the line before"}
			}
			if e, after := takeEnhanced(code, rest); e == reply.Enhanced {
				rest = after
			}
			text.WriteByte('\n')
			text.WriteString(rest)
		}
		if last {
			reply.Text += text.String()
			return reply, nil
		}
		if lines >= MaxReplyLines || len(reply.Text)+text.Len() > MaxReplyBytes {
			return nil, ErrReplyTooLong
		}
	}
}

// splitReplyLine reads "250-text", "250 text" or "250".
func splitReplyLine(raw []byte) (code Code, last bool, text string, err error) {
	if len(raw) < 3 || !isDigit(raw[0]) || !isDigit(raw[1]) || !isDigit(raw[2]) {
		return 0, false, "", &MalformedReplyError{clip(string(raw)), "it does not begin with three digits"}
	}
	code = Code(raw[0]-'0')*100 + Code(raw[1]-'0')*10 + Code(raw[2]-'0')
	if code < 200 || code > 599 {
		return 0, false, "", &MalformedReplyError{clip(string(raw)), "its first digit is not 2 to 5"}
	}
	if len(raw) == 3 {
		return code, true, "", nil
	}
	switch raw[3] {
	case ' ', '\t':
		last = true
	case '-':
	default:
		return 0, false, "", &MalformedReplyError{clip(string(raw)), "neither space nor hyphen follows the code"}
	}
	return code, last, string(raw[4:]), nil
}

// takeEnhanced takes the enhanced code off a line of text. One whose class
// differs from the code's first digit is no enhanced code (RFC 2034, 4).
func takeEnhanced(code Code, text string) (EnhancedCode, string) {
	if e, rest, ok := cutEnhanced(text); ok && e[0] == int(code)/100 {
		return e, rest
	}
	return EnhancedCode{}, text
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
