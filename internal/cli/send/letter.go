package send

import (
	"errors"
	"fmt"
	"io"
	"os"

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
		return a, cli.Fail(cli.Usage, "--from %q: %w", o.from, reason(err))
	}
	return a, nil
}

func parseAddresses(flag string, values []string) (message.AddressList, error) {
	var all message.AddressList
	for _, v := range values {
		list, err := message.ParseAddressList(v)
		if err != nil {
			return nil, cli.Fail(cli.Usage, "--%s %q: %w", flag, v, reason(err))
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
