package talk

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
)

// printer prints the lines of a session with the seconds since it began: ">"
// is what we said, "<" what we heard, "*" what talk has to tell.
type printer struct {
	w     io.Writer
	begun time.Time
	json  bool
}

// entry is a line in JSON.
type entry struct {
	Time float64 `json:"t"`    // seconds since the connection was made
	Kind string  `json:"kind"` // "said", "heard" or "note"
	Text string  `json:"text"` // octets that are no plain text as \r, \n, \xHH
}

func (p printer) said(line string) { p.print(time.Now(), "said", ">", cli.Printable(line)) }

func (p printer) note(f string, args ...any) {
	p.print(time.Now(), "note", "*", cli.Printable(fmt.Sprintf(f, args...)))
}

// heard leaves the CRLF of a line away and shows any other end.
func (p printer) heard(h heard) {
	text, ok := strings.CutSuffix(h.text, "\r\n")
	text = cli.Printable(text)
	if !ok && !strings.HasSuffix(h.text, "\n") {
		text += `\` // the line goes on, or breaks off
	}
	p.print(h.at, "heard", "<", text)
}

// print cannot do anything about a terminal that is gone; the session's own
// outcome tells more.
func (p printer) print(at time.Time, kind, sign, text string) {
	t := at.Sub(p.begun)
	if p.json {
		_ = cli.PrintJSON(p.w, entry{float64(t.Milliseconds()) / 1000, kind, text})
		return
	}
	fmt.Fprintf(p.w, "%8.3f %s %s\n", t.Seconds(), sign, text)
}
