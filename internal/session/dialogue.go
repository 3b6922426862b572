package session

import "bytes"

// verb is what matters of a command for the state of its session.
type verb byte

const (
	verbOther verb = iota
	verbGreeting
	verbHello
	verbStartTLS
	verbAuth
	verbMail
	verbRcpt
	verbData
	verbDot // the end of the text
	verbChunk
	verbLastChunk
	verbRset
	verbQuit
)

// verbOf reads a command. It is called for each line that is said.
func verbOf(line []byte) verb {
	if len(line) < 4 {
		return verbOther
	}
	const upper = 0xDFDFDFDF // takes the bit of small letters away
	switch w := (uint32(line[0])<<24 | uint32(line[1])<<16 | uint32(line[2])<<8 | uint32(line[3])) & upper; w {
	case word("EHLO"), word("HELO"), word("LHLO"):
		return verbHello
	case word("STAR"):
		return verbStartTLS
	case word("AUTH"):
		return verbAuth
	case word("MAIL"):
		return verbMail
	case word("RCPT"):
		return verbRcpt
	case word("DATA"):
		return verbData
	case word("BDAT"):
		if bytes.EqualFold(line[max(4, len(line)-5):], []byte(" LAST")) {
			return verbLastChunk
		}
		return verbChunk
	case word("RSET"):
		return verbRset
	case word("QUIT"):
		return verbQuit
	}
	return verbOther
}

func word(s string) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

// dialogue follows which reply answers which command, since commands may be said
// together (RFC 2920). The zero value awaits the greeting.
type dialogue struct {
	state   State
	asked   []verb // said; those from next on are not answered yet
	next    int
	greeted bool
}

// maxAsked bounds the commands that are not answered; nobody says more at once.
const maxAsked = 10_000

func (d *dialogue) command(line []byte) {
	v := verbOf(line)
	if len(d.asked) < maxAsked {
		d.asked = append(d.asked, v)
	}
	switch v {
	case verbHello:
		d.state = Hello
	case verbStartTLS:
		d.state = TLS
	case verbAuth:
		d.state = Login
	case verbMail, verbRcpt:
		d.state = Envelope
	case verbData, verbChunk, verbLastChunk:
		d.state = Text
	case verbQuit:
		d.state = Closing
	}
}

// reply takes the last line of a reply, and reports whether it accepts a message.
func (d *dialogue) reply(line []byte) (accepted bool) {
	v := d.answered()
	class := line[0]
	switch v {
	case verbHello, verbRset:
		d.become(Idle)
	case verbAuth, verbOther:
		if class != '3' && d.state == Login {
			d.become(Idle)
		}
	case verbStartTLS, verbMail:
		if class != '2' {
			d.become(Idle)
		}
	case verbData:
		if class == '3' {
			d.asked = append(d.asked, verbDot)
		} else {
			d.become(Envelope)
		}
	case verbDot, verbLastChunk:
		d.become(Idle)
		return class == '2'
	}
	return false
}

// become changes the state, unless the client has already gone on.
func (d *dialogue) become(s State) {
	if d.next == len(d.asked) {
		d.state = s
	}
}

// answered takes the command that comes next to be answered.
func (d *dialogue) answered() verb {
	if !d.greeted {
		d.greeted = true
		return verbGreeting
	}
	if d.next == len(d.asked) {
		return verbOther // such as further replies of LMTP, or a farewell
	}
	v := d.asked[d.next]
	if d.next++; d.next == len(d.asked) {
		d.asked, d.next = d.asked[:0], 0
	}
	return v
}
