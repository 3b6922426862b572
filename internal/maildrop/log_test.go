package maildrop

import (
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"testing"
)

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// sealed is a file with anything behind its first line, as somebody may make it who
// knows how.
func sealed(text string) string {
	return fmt.Sprintf(topFormat, len(text), crc32.Checksum([]byte(text), castagnoli)) + text
}

// FuzzReadLetter: what is read is what would be written.
func FuzzReadLetter(f *testing.F) {
	f.Add("MAIL FROM:<>\r\nRCPT TO:<a@b.c> NOTIFY=NEVER\r\nBDAT 5 LAST\r\nabc\r\n")
	f.Add("MAIL FROM:<ann@sohu.example> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb\r\nRCPT TO:<李@例え.jp>\r\nBDAT 0 LAST\r\n")
	f.Add("RCPT TO:<a@b.c>\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := sealed(text)
		l, err := readLetter(t.Context(), readerAt(file), int64(len(file)))
		if err != nil {
			return
		}
		head, err := l.head()
		if err != nil {
			t.Fatalf("%q is read, and cannot be written: %v", text, err)
		}
		again := sealed(string(head) + text[len(text)-int(l.Text.Size()):])
		m, err := readLetter(t.Context(), readerAt(again), int64(len(again)))
		if err != nil || m.From != l.From || m.Params != l.Params || len(m.To) != len(l.To) {
			t.Fatalf("%q became %q: %v", text, again, err)
		}
	})
}

type readerAt string

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(r)) {
		return 0, io.EOF
	}
	n := copy(p, r[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
