package maildrop

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// MaxRecipients is how many recipients a letter may have.
const MaxRecipients = 10_000

// Letter is a message in its envelope.
type Letter struct {
	From   smtp.Path
	Params smtp.MailParams // but Size, which the text has
	To     []smtp.Rcpt     // one at least
	Text   mail.Content    // lines ended by CRLF, unless Params.Body is BINARYMIME

	// What a Sweeper knows beside. The text can be read until its Submit returns.
	Name  string    // of the file
	Login string    // who has left it, as [Login] says
	Left  time.Time // when
	Again bool      // it may have been handed on before: this is a possible second copy
}

// DamagedError says why a file is no letter.
type DamagedError struct{ Reason string }

func (e *DamagedError) Error() string { return "maildrop: " + e.Reason }

func damaged(format string, args ...any) error { return &DamagedError{fmt.Sprintf(format, args...)} }

// The first line of a file.
const (
	topFormat = "POSTHOUSE-DROP 1 %016d %08x\r\n"
	topSize   = 16 + 1 + 16 + 1 + 8 + 2
)

// offers is all that an envelope may ask for.
const offers = smtp.ExtensionSet(1<<smtp.ExtSize | 1<<smtp.Ext8BitMIME | 1<<smtp.ExtBinaryMIME | 1<<smtp.ExtChunking |
	1<<smtp.ExtSMTPUTF8 | 1<<smtp.ExtDSN | 1<<smtp.ExtDeliverBy | 1<<smtp.ExtFutureRelease | 1<<smtp.ExtMTPriority |
	1<<smtp.ExtRequireTLS)

// castagnoli is CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writeTo writes the letter as a file.
func (l *Letter) writeTo(w io.WriteSeeker) error {
	if _, err := w.Seek(topSize, io.SeekStart); err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
	size, err := l.writeBehindTop(out)
	if err = cmp.Or(err, out.Flush()); err != nil {
		return err
	}
	if _, err := w.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, topFormat, size, sum.Sum32())
	return err
}

func (l *Letter) writeBehindTop(w io.Writer) (size int64, err error) {
	head, err := l.head()
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(head); err != nil {
		return 0, err
	}
	text, err := l.Text.Open()
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(w, text)
	err = cmp.Or(err, text.Close())
	if err == nil && n != l.Text.Size() {
		err = fmt.Errorf("the text has %d octets, not %d", n, l.Text.Size())
	}
	return int64(len(head)) + n, err
}

// head is the commands before the text.
func (l *Letter) head() (head []byte, err error) {
	if n := len(l.To); n == 0 || n > MaxRecipients {
		return nil, fmt.Errorf("a letter has 1 to %d recipients, not %d", MaxRecipients, n)
	}
	params := l.Params
	params.Size = 0
	commands := []smtp.Command{smtp.Mail{From: l.From, Params: params}}
	for _, to := range l.To {
		commands = append(commands, to)
	}
	for _, c := range append(commands, smtp.Bdat{Size: l.Text.Size(), Last: true}) {
		if head, err = smtp.AppendCommand(head, c); err != nil {
			return nil, err
		}
	}
	return head, nil
}

// readLetter reads a file of size octets. The error is a [*DamagedError] if it is no
// letter, that of ctx, or one of the disk. It takes as long as the file is long,
// and memory for its envelope only.
func readLetter(ctx context.Context, f io.ReaderAt, size int64) (*Letter, error) {
	if err := checkSum(ctx, f, size); err != nil {
		return nil, err
	}
	p := parser{Reader: smtp.NewReader(io.NewSectionReader(f, topSize, size-topSize), nil), at: topSize}
	defer p.Release()
	l, err := p.letter()
	if err != nil {
		return nil, err
	}
	if l.Params.Size != size-p.at {
		return nil, damaged("the text has %d octets, not %d", size-p.at, l.Params.Size)
	}
	l.Text = &section{f, p.at, l.Params.Size, l.Params.Body == smtp.BodyBinary}
	return l, nil
}

func checkSum(ctx context.Context, f io.ReaderAt, size int64) error {
	top := make([]byte, min(topSize, size))
	if _, err := f.ReadAt(top, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	sum := crc32.New(castagnoli)
	body := io.NewSectionReader(f, topSize, max(size-topSize, 0))
	if len(top) < topSize || string(top[:len(topFormat[:17])]) != topFormat[:17] {
		return damaged("it is no letter")
	}
	if _, err := io.Copy(sum, untilDone{ctx, body}); err != nil {
		return err
	}
	if want := fmt.Sprintf(topFormat, size-topSize, sum.Sum32()); string(top) != want {
		return damaged("it was cut or changed: its first line is %.42q, and should be %.42q", top, want)
	}
	return nil
}

// untilDone reads until its context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// parser reads the commands before the text.
type parser struct {
	*smtp.Reader
	at int64 // octets of the file before the next line
}

// letter reads the commands. Params.Size is the length of the text.
func (p *parser) letter() (*Letter, error) {
	l := new(Letter)
	c, err := p.command()
	if err != nil {
		return nil, err
	}
	from, is := c.(smtp.Mail)
	if !is {
		return nil, damaged("it does not begin with MAIL")
	}
	l.From, l.Params = from.From, from.Params
	for {
		c, err := p.command()
		if err != nil {
			return nil, err
		}
		switch c := c.(type) {
		case smtp.Rcpt:
			if l.To = append(l.To, c); len(l.To) > MaxRecipients {
				return nil, damaged("it has more than %d recipients", MaxRecipients)
			}
		case smtp.Bdat:
			if len(l.To) == 0 || !c.Last {
				return nil, damaged("it has no recipients, or more than one text")
			}
			l.Params.Size = c.Size
			return l, nil
		default:
			return nil, damaged("%s has no place in it", c.Verb())
		}
	}
}

func (p *parser) command() (smtp.Command, error) {
	line, err := p.Line(smtp.MaxCommandLine)
	switch {
	case errors.Is(err, smtp.ErrLineTooLong), errors.Is(err, smtp.ErrBareCR), errors.Is(err, smtp.ErrBareLF),
		errors.Is(err, smtp.ErrFlood), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, damaged("its envelope is not whole: %v", err)
	case err != nil:
		return nil, err
	}
	p.at += int64(len(line)) + 2
	c, err := smtp.Grammar{Offers: offers, Strict: true}.Parse(line)
	if err != nil {
		return nil, damaged("its envelope cannot be read: %v", err)
	}
	return c, nil
}

// section is a text within a file.
type section struct {
	file     io.ReaderAt
	at, size int64
	binary   bool
}

func (s *section) Size() int64 { return s.size }

func (s *section) Open() (io.ReadCloser, error) {
	return &text{section: s, from: io.NewSectionReader(s.file, s.at, s.size), left: s.size}, nil
}

// text reads a text. Its owner may still write to it, so that only what is really
// read counts: it is as long as was said, and made of lines, or the error is a
// [*DamagedError].
type text struct {
	*section
	from  io.Reader
	left  int64
	lines smtp.LineCheck
}

func (t *text) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	t.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && t.left > 0:
		return n, damaged("%d octets of its text are gone", t.left)
	case !t.binary && t.lines.Check(p[:n]) != nil, !t.binary && errors.Is(err, io.EOF) && t.lines.End() != nil:
		return 0, damaged("its text has a CR or LF that ends no line")
	}
	return n, err
}

func (t *text) Close() error { return nil }
