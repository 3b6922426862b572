package send

import (
	"io"
	"os"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

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
