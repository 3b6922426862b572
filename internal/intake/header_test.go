package intake

import (
	"io"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// FuzzHeader: however a message is cut into pieces, what is found in it is the
// same, and it is what the reader of package message finds.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{
		"Received: a\r\n b\r\nSubject: =?utf-8?q?h=C3=A9?=\r\n there\r\n\r\nReceived: no\r\n",
		"received:\r\nRECEIVED: x\r\nMessage-ID: <1@a.example>\r\nDelivered-To: ann@sohu.example\r\n\r\n",
		"Subject: no end", "\r\n", "Delivered-To:\r\n ann@sohu.example\r\n\tx\r\n", "subject:\r\nSubject: 2\r\n\r\n",
		"Received: " + strings.Repeat("long ", 1000) + "\r\nSubject: " + strings.Repeat("x", 5000) + "\r\n\r\n",
	} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		whole, pieces := look(text, len(text)), look(text, min(max(size, 1), 100))
		if whole.Hops != pieces.Hops || whole.Subject != pieces.Subject || whole.MessageID != pieces.MessageID || whole.Loop != pieces.Loop {
			t.Fatalf("whole %+v, in pieces of %d %+v", whole, size, pieces)
		}
		if clean(text) {
			if n := hops(text); whole.Hops != n {
				t.Fatalf("%d hops, want %d", whole.Hops, n)
			}
		}
	})
}

func look(text string, size int) header {
	h := header{mailbox: func(p smtp.Path) bool { return p.String() == "ann@sohu.example" }}
	for len(text) > 0 {
		n := min(size, len(text))
		h.Write([]byte(text[:n]))
		text = text[n:]
	}
	h.End()
	return h
}

// clean: the header is one by RFC 5322, so that it does not matter what is made
// of a line that is no field.
func clean(text string) bool {
	head, _, found := strings.Cut(text, "\r\n\r\n")
	if !found || strings.HasPrefix(head, "\r\n") || strings.ContainsAny(head, "\x00") {
		return false
	}
	for i, line := range strings.Split(head, "\r\n") {
		name, _, isField := strings.Cut(line, ":")
		folded := i > 0 && line != "" && (line[0] == ' ' || line[0] == '\t')
		if strings.ContainsAny(line, "\r\n") || !folded && (!isField || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f })) {
			return false
		}
	}
	return true
}

func hops(text string) (n int) {
	h := message.NewHeaderReader(strings.NewReader(text), message.HeaderLimits{Bytes: 1 << 30, Fields: 1 << 30})
	for {
		f, err := h.Next()
		if err == io.EOF {
			return n
		}
		if strings.EqualFold(f.Name(), "Received") {
			n++
		}
	}
}

// TestHeaderIsBounded: a header of any size takes no more memory, and no more
// time for each octet.
func TestHeaderIsBounded(t *testing.T) {
	for name, piece := range map[string]string{
		"one line":   strings.Repeat("x", 1000),
		"one field":  "\r\n " + strings.Repeat("x", 1000),
		"no ends":    "Subject: x\nReceived: y\n",
		"subjects":   "Subject: " + strings.Repeat("x", 1000) + "\r\n",
		"deliveries": "Delivered-To: bob@sohu.example\r\n",
	} {
		h := header{mailbox: func(smtp.Path) bool { return false }}
		h.Write([]byte("Subject: "))
		for range 10_000 {
			h.Write([]byte(piece))
		}
		h.End()
		if cap(h.part) > 2*maxField || cap(h.text) > 2*maxField || len(h.Subject) > 200 {
			t.Errorf("%s: keeps %d and %d octets", name, cap(h.part), cap(h.text))
		}
	}
}
