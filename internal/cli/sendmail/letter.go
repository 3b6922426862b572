package sendmail

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// letter is a message that is ready to go.
type letter struct {
	env  smtpclient.Envelope
	text *text
}

// caller is who runs the command, and where.
type caller struct {
	host string // the name of this host
	user string // login
	name string // of the person; may be empty
}

// whoCalls asks the system.
func whoCalls(host string) caller {
	c := caller{host: host, user: "nobody"}
	if u, err := user.Current(); err == nil {
		c.user = u.Username
		c.name, _, _ = strings.Cut(u.Name, ",") // behind it are a room and telephones
	}
	return c
}

// address is that of whom a local name means.
func (c *caller) address(local string) string { return local + "@" + c.host }

// letter reads the text and makes the envelope.
func (o *options) letter(c *caller, stdin io.Reader) (*letter, error) {
	from, err := o.sender(c)
	if err != nil {
		return nil, err
	}
	l := &letter{text: new(text), env: smtpclient.Envelope{From: from, Mail: smtp.MailParams{Return: o.returns, EnvID: o.envID}}}
	h := &header{host: c.host}
	if err := l.read(h, o, c, stdin); err != nil {
		l.text.close()
		return nil, err
	}
	if err := l.address(h, o, c); err != nil {
		l.text.close()
		return nil, err
	}
	l.needs(o.body)
	if _, err := smtp.AppendCommand(nil, smtp.Mail{From: from, Params: l.env.Mail}); err != nil {
		l.text.close()
		return nil, cli.Fail(cli.Usage, "%w", err)
	}
	return l, nil
}

// reason is what is wrong with an address: whoever reads it sees where.
func reason(err error) error {
	var parse *message.ParseError
	if errors.As(err, &parse) {
		return errors.New(parse.Reason)
	}
	return err
}

// sender is the reverse-path: that of -f, or the caller.
func (o *options) sender(c *caller) (smtp.Path, error) {
	given := strings.TrimSpace(o.from)
	switch {
	case !o.fromGiven:
		given = c.address(c.user)
	case given == "" || given == "<>":
		return smtp.Path{}, nil
	}
	list, err := message.ParseAddressList(qualify(given, 0, c.host))
	all := list.Addresses()
	if err == nil && len(all) != 1 {
		err = errors.New("it is not one address")
	}
	if err != nil {
		return smtp.Path{}, cli.Fail(cli.Usage, "sender %q: %w", given, reason(err))
	}
	p, err := smtp.ParseMailbox(all[0].Addr)
	if err != nil {
		return smtp.Path{}, cli.Fail(cli.Usage, "sender %q: %w", given, err)
	}
	return p, nil
}

// read reads the message, and mends its header.
func (l *letter) read(h *header, o *options, c *caller, stdin io.Reader) error {
	in := stdin
	if !o.dots {
		in = &untilDot{r: bufio.NewReaderSize(stdin, blockSize)}
	}
	fields := message.NewHeaderReader(smtp.NewLines(in), message.HeaderLimits{})
	for {
		f, err := fields.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return unreadable(err)
		}
		h.add(f)
	}
	l.complete(h, o, c)
	_, err := io.WriteString(l.text, strings.Join(h.fields, "")+"\r\n")
	if err == nil {
		err = l.body(fields.Body())
	}
	if err != nil {
		return unreadable(err)
	}
	return nil
}

// body copies the body, whose last line gets an end if it has none.
func (l *letter) body(r io.Reader) error {
	last := lastOctet{to: l.text, c: '\n'}
	if _, err := io.CopyBuffer(&last, r, make([]byte, blockSize)); err != nil {
		return err
	}
	if last.c == '\n' {
		return nil
	}
	_, err := io.WriteString(l.text, "\r\n")
	return err
}

// lastOctet remembers what was written last.
type lastOctet struct {
	to io.Writer
	c  byte
}

func (l *lastOctet) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.c = p[len(p)-1]
	}
	return l.to.Write(p)
}

// unreadable gives an error of reading the message its status.
func unreadable(err error) error {
	var limit *message.HeaderError
	var file *os.PathError
	switch {
	case errors.As(err, &limit), errors.Is(err, errTooLarge):
		return cli.Fail(cli.DataErr, "%w", err)
	case errors.As(err, &file):
		return cli.Fail(cli.TempFail, "%w", err)
	}
	return cli.Fail(cli.IOErr, "the message cannot be read: %w", err)
}

// complete adds what a message must have and programs leave out (RFC 6409, 8).
func (l *letter) complete(h *header, o *options, c *caller) {
	if h.lacks("From") {
		from := message.Address{Addr: l.env.From.String(), Name: o.name}
		if l.env.From.IsNull() {
			from.Addr = c.address(c.user)
		}
		if from.Name == "" {
			from.Name = oneLine(os.Getenv("NAME"))
		}
		if from.Name == "" && !o.fromGiven {
			from.Name = c.name
		}
		from.Name = oneLine(from.Name)
		h.set("From", from.String())
	}
	if h.lacks("Date") {
		h.set("Date", message.FormatDate(time.Now()))
	}
	if h.lacks("Message-ID") {
		h.set("Message-ID", message.NewMessageID(asciiHost(c)))
	}
}

// oneLine is a name as it can stand in a field.
func oneLine(s string) string { return strings.Join(strings.Fields(cli.Printable(s)), " ") }

// asciiHost is the name of this host in the form that a msg-id has.
func asciiHost(c *caller) string {
	p, err := smtp.ParseMailbox(c.address("x"))
	if err == nil {
		p, err = p.ToASCII()
	}
	if err != nil {
		return "localhost"
	}
	return p.Domain()
}

// address makes the recipients: those of the command line, and with -t those of the
// message too.
func (l *letter) address(h *header, o *options, c *caller) error {
	all, err := o.addresses(c)
	if err != nil {
		return err
	}
	if o.extract {
		if h.wrong != nil {
			return cli.Fail(cli.DataErr, "%w (nothing was sent)", h.wrong)
		}
		all = append(all, h.recipients()...)
	}
	if len(all) == 0 {
		return cli.Fail(cli.Usage, "there is no recipient (give addresses, or -t for those in To, Cc and Bcc)")
	}
	for _, a := range all {
		p, err := smtp.ParseMailbox(a)
		if err != nil {
			return cli.Fail(cli.Usage, "recipient %q: %w", a, err)
		}
		if !slices.ContainsFunc(l.env.To, func(r smtpclient.Recipient) bool { return r.Path == p }) {
			l.env.To = append(l.env.To, smtpclient.Recipient{Path: p, Params: smtp.RcptParams{Notify: o.notify}})
		}
	}
	return nil
}

// addresses are those of the command line.
func (o *options) addresses(c *caller) ([]string, error) {
	var all []string
	for _, arg := range o.recipients {
		list, err := message.ParseAddressList(qualify(arg, 0, c.host))
		if err != nil {
			return nil, cli.Fail(cli.Usage, "recipient %q: %w", arg, reason(err))
		}
		for _, a := range list.Addresses() {
			all = append(all, a.Addr)
		}
	}
	return all, nil
}

// needs says what the message asks of those who carry it. What is found in it counts
// for more than what the caller says of it.
func (l *letter) needs(said smtp.Body) {
	p, traits := &l.env.Mail, l.text.inspect.Traits()
	p.Size = l.text.Size()
	switch {
	case traits.NUL || said == smtp.BodyBinary:
		p.Body = smtp.BodyBinary
	case traits.Body8Bit || traits.UTF8Header || said == smtp.Body8Bit:
		p.Body = smtp.Body8Bit
	}
	p.UTF8 = traits.UTF8Header || !l.env.From.IsASCII() ||
		slices.ContainsFunc(l.env.To, func(r smtpclient.Recipient) bool { return !r.Path.IsASCII() })
}
