package run

import (
	"bytes"
	"strings"

	"github.com/posthouse/posthouse/message"
)

// maxHead is how much of a message's beginning is looked at for the log.
const maxHead = 8 * 1024

// maxSubject is how much of a subject the log shows, in characters.
const maxSubject = 120

// head keeps the beginning of what is written to it.
type head struct{ buf []byte }

func (h *head) Write(p []byte) (int, error) {
	if room := maxHead - len(h.buf); room > 0 {
		h.buf = append(h.buf, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// subject returns the first Subject field, decoded, or "".
func (h *head) subject() string {
	fields := message.NewHeaderReader(bytes.NewReader(h.buf), message.HeaderLimits{})
	for {
		field, err := fields.Next()
		if err != nil {
			return ""
		}
		if strings.EqualFold(field.Name(), "Subject") {
			return shorten(field.Text())
		}
	}
}

func shorten(s string) string {
	n := 0
	for i := range s {
		if n == maxSubject {
			return s[:i] + "..."
		}
		n++
	}
	return s
}
