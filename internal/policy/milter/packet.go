package milter

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

// packet is what one side says.
type packet struct {
	code byte
	data []byte
}

const (
	// maxSaid is how many octets a packet of the program has at most: a piece of a body
	// has 65,535, and some send fields of more.
	maxSaid = 256 << 10
	// chunk is how many octets of a body go into a packet of ours.
	chunk = 65535
)

// writePacket writes a packet, of which no part is longer than 2^31 octets.
func writePacket(w *bufio.Writer, code byte, parts ...[]byte) error {
	n := 1
	for _, p := range parts {
		n += len(p)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(n))
	if _, err := w.Write(append(head, code)); err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// readPacket reads one.
func readPacket(r *bufio.Reader) (packet, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return packet{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxSaid {
		return packet{}, fmt.Errorf("it sends a packet of %d octets", n)
	}
	p := packet{code: head[4], data: make([]byte, n-1)}
	_, err := io.ReadFull(r, p.data)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return p, err
}

// texts are strings as the protocol has them, each with a NUL behind it. A NUL in one ends it:
// what follows would be another text.
func texts(all ...string) []byte {
	var b []byte
	for _, s := range all {
		if i := strings.IndexByte(s, 0); i >= 0 {
			s = s[:i]
		}
		b = append(append(b, s...), 0)
	}
	return b
}

// cut takes the first text off.
func cut(data []byte) (text string, rest []byte) {
	before, after, _ := bytes.Cut(data, []byte{0})
	return string(before), after
}

// parseReply reads the answer with a code: "550 5.7.1 text", in which line ends part the
// lines of the reply, and "%%" is a percent sign. All lines but the last have "-" behind the code, if they have one.
func parseReply(data []byte) (*smtp.Reply, error) {
	text, _ := cut(data)
	if len(text) < 3 || len(text) > 3 && text[3] != ' ' && text[3] != '-' {
		return nil, fmt.Errorf("it answers with no reply: %.40q", text)
	}
	n, err := strconv.ParseUint(text[:3], 10, 16)
	code := smtp.Code(n)
	if err != nil || !code.Valid() || code.Positive() {
		return nil, fmt.Errorf("it answers with %.3q, which refuses nothing", text)
	}
	r := &smtp.Reply{Code: code}
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if behind, ok := strings.CutPrefix(line, text[:3]); ok { // each line may have the code
			line = strings.TrimLeft(behind, "- ")
		}
		first, rest, _ := strings.Cut(line, " ")
		if e, ok := smtp.ParseEnhancedCode(first); ok && e[0] == int(n)/100 {
			r.Enhanced, line = e, rest
		}
		if line = clean(line); line != "" && len(lines) < maxReplyLines {
			lines = append(lines, line)
		}
	}
	r.Text = strings.Join(lines, "\n")
	if r.Text == "" {
		r.Text = "Refused"
	}
	return r, nil
}

// Bounds of what a client is told.
const (
	maxReplyLines = 8
	maxReplyLine  = 400
)

// clean makes a line that can be told, of ASCII that can be seen.
func clean(s string) string {
	s = strings.ReplaceAll(s, "%%", "%")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), maxReplyLine)])
	return strings.TrimSpace(s)
}
