package inbox

import (
	"fmt"
	"time"
)

// Line is one line of the SMTP dialogue in which a message came.
type Line struct {
	At   time.Time `json:"at"`
	Who  Who       `json:"who"`
	Text string    `json:"text"` // without CRLF, secrets masked
}

// Who said a line.
type Who uint8

// Who may say a line.
const (
	Note   Who = iota // nobody: something that happened
	Client            // who sent the message
	Server            // we
)

// String is "C", "S" or "*".
func (w Who) String() string {
	switch w {
	case Client:
		return "C"
	case Server:
		return "S"
	}
	return "*"
}

// MarshalText prints like String.
func (w Who) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads what MarshalText printed.
func (w *Who) UnmarshalText(text []byte) error {
	switch string(text) {
	case "C":
		*w = Client
	case "S":
		*w = Server
	case "*":
		*w = Note
	default:
		return fmt.Errorf("%q is nobody who says a line", text)
	}
	return nil
}

// Bounds of a dialogue.
const (
	maxLines = 400
	maxLine  = 500
)

// bounded is the beginning and the end of a long dialogue.
func bounded(lines []Line) []Line {
	kept := make([]Line, 0, min(len(lines), maxLines+1))
	for i, line := range lines {
		switch cut := len(lines) - maxLines; {
		case cut > 0 && i == maxLines/2:
			kept = append(kept, Line{line.At, Note, fmt.Sprintf("%d lines are left out", cut)})
		case cut > 0 && i > maxLines/2 && i < maxLines/2+cut:
		default:
			line.Text = clip(line.Text, maxLine)
			kept = append(kept, line)
		}
	}
	return kept
}
