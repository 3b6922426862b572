package send

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
)

// fromFile makes the letter of a message that is there already. The standard
// input, which can be read only once, goes through a file.
func (o *options) fromFile(l *letter, stdin io.Reader) error {
	if o.subject+o.text+o.html+strings.Join(o.attach, "")+strings.Join(o.headers, "") != "" {
		return cli.Fail(cli.Usage, "--raw sends a message as it is (leave --subject, --text, --html, --attach and --header away)")
	}
	path := o.raw
	if path == "-" {
		f, err := spool(stdin)
		if err != nil {
			return cli.Fail(cli.IOErr, "%w", err)
		}
		path = f
		l.close = func() { _ = os.Remove(f) }
	}
	l.open = func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{smtp.NewLines(f), f}, nil
	}
	return nil
}

// spool copies r to a file that only we can read, and returns its name.
func spool(r io.Reader) (name string, err error) {
	f, err := os.CreateTemp("", "posthouse-send-*")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
