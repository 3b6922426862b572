package send

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// letter is a message in its envelope. It is a smtpclient.Body whose text is
// made while it is read, so that its size does not matter.
type letter struct {
	env   smtpclient.Envelope
	open  func() (io.ReadCloser, error)
	size  int64 // octets, with CRLF line ends
	close func()
}

func (l *letter) Open() (io.ReadCloser, error) { return l.open() }
func (l *letter) Size() int64                  { return l.size }

// letter makes what is to be sent, and finds out how long it is, so that what
// cannot be read or written comes out before a server is spoken to.
func (o *options) letter(stdin io.Reader) (*letter, error) {
	from, err := o.author()
	if err != nil {
		return nil, err
	}
	var m message.Message
	for _, list := range []struct {
		flag   string
		values []string
		dst    *message.AddressList
	}{{"to", o.to, &m.To}, {"cc", o.cc, &m.Cc}, {"bcc", o.bcc, &m.Bcc}} {
		if *list.dst, err = parseAddresses(list.flag, list.values); err != nil {
			return nil, err
		}
	}
	l := &letter{close: func() {}}
	if l.env, err = envelope(from, m.Recipients()); err != nil {
		return nil, err
	}
	if o.raw != "" {
		err = o.fromFile(l, stdin)
	} else {
		m.From = []message.Address{from}
		err = o.compose(l, &m, stdin)
	}
	if err != nil {
		return nil, err
	}
	if l.size, err = measure(l); err != nil {
		l.close()
		return nil, letterFault(err)
	}
	return l, nil
}

// author is the value of --from; without an address: the null sender.
func (o *options) author() (message.Address, error) {
	if o.from == "<>" && o.raw != "" {
		return message.Address{}, nil
	}
	if o.from == "" {
		return message.Address{Addr: sender()}, nil
	}
	a, err := message.ParseAddress(o.from)
	if err != nil {
		return a, cli.Fail(cli.Usage, "--from %q: %w", o.from, err)
	}
	return a, nil
}

func parseAddresses(flag string, values []string) (message.AddressList, error) {
	var all message.AddressList
	for _, v := range values {
		list, err := message.ParseAddressList(v)
		if err != nil {
			return nil, cli.Fail(cli.Usage, "--%s %q: %w", flag, v, err)
		}
		all = append(all, list...)
	}
	return all, nil
}

func envelope(from message.Address, to []string) (env smtpclient.Envelope, err error) {
	if len(to) == 0 {
		return env, cli.Fail(cli.Usage, "no recipient (give --to ADDRESS)")
	}
	if from.Addr != "" {
		if env.From, err = smtp.ParseMailbox(from.Addr); err != nil {
			return env, cli.Fail(cli.Usage, "--from %q: %w", from.Addr, err)
		}
	}
	for _, addr := range to {
		path, err := smtp.ParseMailbox(addr)
		if err != nil {
			return env, cli.Fail(cli.Usage, "recipient %q: %w", addr, err)
		}
		env.To = append(env.To, smtpclient.Recipient{Path: path})
	}
	return env, nil
}

// compose makes the letter of a message with the flags for its content.
func (o *options) compose(l *letter, m *message.Message, stdin io.Reader) (err error) {
	if o.text == "-" && o.html == "-" {
		return cli.Fail(cli.Usage, "the standard input can be read once (give --text - or --html -)")
	}
	if m.Text, err = content(o.text, stdin); err != nil {
		return err
	}
	if m.HTML, err = content(o.html, stdin); err != nil {
		return err
	}
	if m.Fields, err = parseFields(o.headers); err != nil {
		return err
	}
	for _, path := range o.attach {
		m.Attachments = append(m.Attachments, message.File(path))
	}
	m.Subject = o.subject
	m.Internationalized = true
	m.Date = time.Now()
	m.MessageID = messageID(l.env.From)
	if !m.NeedsSMTPUTF8() {
		l.env.Mail.Body = smtp.Body7Bit // as composed; nobody needs to look
	}
	l.open = func() (io.ReadCloser, error) { return written(m), nil }
	return nil
}

// messageID makes one that stays the same each time the message is written.
func messageID(from smtp.Path) string {
	ascii, err := from.ToASCII()
	if err != nil || ascii.Domain() == "" {
		return message.NewMessageID("localhost")
	}
	return message.NewMessageID(ascii.Domain())
}

// content is the value of --text or --html: itself, a file or stdin.
func content(value string, stdin io.Reader) (string, error) {
	var text []byte
	var err error
	switch path, isFile := strings.CutPrefix(value, "@"); {
	case value == "-":
		text, err = io.ReadAll(stdin)
	case isFile:
		text, err = os.ReadFile(path)
	default:
		return value, nil
	}
	if err != nil {
		return "", cli.Fail(cli.NoInput, "%w", err)
	}
	return string(text), nil
}

func parseFields(values []string) ([]message.Field, error) {
	var fields []message.Field
	for _, v := range values {
		name, value, ok := strings.Cut(v, ":")
		if !ok {
			return nil, cli.Fail(cli.Usage, `--header %q has no colon (give "NAME: VALUE")`, v)
		}
		fields = append(fields, message.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return fields, nil
}

// written returns the message as a reader. Closing it ends the writing.
func written(m *message.Message) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		_, err := m.WriteTo(w)
		_ = w.CloseWithError(err)
	}()
	return r
}

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

func measure(l *letter) (int64, error) {
	r, err := l.open()
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, r)
	return n, errors.Join(err, r.Close())
}

// letterFault tells a file that cannot be read from a message that cannot be
// written.
func letterFault(err error) error {
	var field *message.FieldError
	var file *os.PathError
	switch {
	case errors.As(err, &file):
		return cli.Fail(cli.NoInput, "%w", err)
	case errors.As(err, &field):
		return cli.Fail(cli.DataErr, "%w", err)
	}
	return cli.Fail(cli.DataErr, "%w", fmt.Errorf("the message cannot be written: %w", err))
}
