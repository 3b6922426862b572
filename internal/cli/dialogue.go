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
func (d *Dialogue) Said(at time.Time, line []byte) { d.print(at, "said", ">", string(line)) }

// Heard prints what the other side said.
func (d *Dialogue) Heard(at time.Time, line []byte) { d.print(at, "heard", "<", string(line)) }

// Note prints what happened without a word being said.
func (d *Dialogue) Note(at time.Time, format string, args ...any) {
	d.print(at, "note", "*", fmt.Sprintf(format, args...))
}

// print ignores errors of Out: if the terminal is gone there is nobody to tell.
func (d *Dialogue) print(at time.Time, kind, sign, text string) {
	t, text := at.Sub(d.Begun), Printable(text)
	if d.JSON {
		_ = PrintJSON(d.Out, dialogueLine{float64(t.Microseconds()/100) / 1e4, kind, text})
		return
	}
	fmt.Fprintf(d.Out, "%8.3f %s %s\n", t.Seconds(), sign, text)
}
