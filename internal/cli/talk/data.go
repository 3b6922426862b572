package talk

import (
	"bufio"
	"errors"
	"io"
	"os"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
)

// data sends a message from a file. Line ends become CRLF.
func (s *session) data(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return cli.Fail(cli.NoInput, "%w", err)
	}
	defer f.Close()
	if err := s.say("DATA"); err != nil || s.ended || !s.inText {
		return err
	}
	buf := bufio.NewWriterSize(s.peer, 64*1024)
	text := smtp.NewDotWriter(buf)
	n, err := io.Copy(text, smtp.NewLines(f))
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return s.broken(err)
	}
	s.note("sent %d octets of %s", n, path)
	return s.endText(func() error { return errors.Join(text.Close(), buf.Flush()) })
}
