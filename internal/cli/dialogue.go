package cli

import (
	"fmt"
	"io"
	"time"
)

// Dialogue prints the lines of a session with the seconds since it began: ">"
// is what we said, "<" what we heard, "*" what there is to tell besides.
// Whoever calls it has masked the secrets.
type Dialogue struct {
	Out   io.Writer
	Begun time.Time
	JSON  bool // a JSON object a line
}

// dialogueLine is a line in JSON.
type dialogueLine struct {
	Time float64 `json:"t"`    // seconds since the session began
	Kind string  `json:"kind"` // "said", "heard" or "note"
	Text string  `json:"text"` // see Printable
}

// Said prints what we said.
func (d *Dialogue) Said(at time.Time, line string) { d.print(at, "said", ">", line) }

// Heard prints what the other side said.
func (d *Dialogue) Heard(at time.Time, line string) { d.print(at, "heard", "<", line) }

// Note prints what nobody said.
func (d *Dialogue) Note(at time.Time, format string, args ...any) {
	d.print(at, "note", "*", fmt.Sprintf(format, args...))
}

// print can do nothing about a terminal that is gone: how the session ended
// tells more.
func (d *Dialogue) print(at time.Time, kind, sign, text string) {
	t, text := at.Sub(d.Begun), Printable(text)
	if d.JSON {
		_ = PrintJSON(d.Out, dialogueLine{float64(t.Microseconds()/100) / 1e4, kind, text})
		return
	}
	fmt.Fprintf(d.Out, "%8.3f %s %s\n", t.Seconds(), sign, text)
}
