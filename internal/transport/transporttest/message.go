package transporttest

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// Path reads an address, and ends the test if it is none. "" is the null path.
func Path(t testing.TB, s string) smtp.Path {
	t.Helper()
	if s == "" {
		return smtp.Path{}
	}
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Envelope makes an envelope from s@a.test.
func Envelope(t testing.TB, to ...string) *mail.Envelope {
	t.Helper()
	e := &mail.Envelope{ID: mail.ID{1, 2, 3}, From: Path(t, "s@a.test"), Arrived: time.Now(), Size: int64(len(Hello))}
	for _, s := range to {
		e.To = append(e.To, mail.Recipient{To: Path(t, s), Original: Path(t, s)})
	}
	return e
}

// Delivery makes a delivery of a text to all recipients of an envelope.
func Delivery(e *mail.Envelope, text string, hop mail.Hop) transport.Delivery {
	d := transport.Delivery{Envelope: e, Content: &Text{Octets: text}, Hop: hop}
	for i := range e.To {
		d.Recipients = append(d.Recipients, i)
	}
	return d
}

// Hello is a small message.
const Hello = "From: s@a.test\r\nSubject: hello\r\n\r\n.dot\r\nbye\r\n"

// Text is a content in memory that can fail, and knows how often it is open.
type Text struct {
	Octets   string
	OpenErr  error // of Open
	ReadErr  error // behind the octets
	Longer   int64 // than the octets, Size says
	opened   atomic.Int32
	isClosed atomic.Int32
}

// ErrDisk is a fault to put into a Text.
var ErrDisk = errors.New("disk on\r\nfire")

// Size implements [mail.Content].
func (x *Text) Size() int64 { return int64(len(x.Octets)) + x.Longer }

// Open implements [mail.Content].
func (x *Text) Open() (io.ReadCloser, error) {
	if x.OpenErr != nil {
		return nil, x.OpenErr
	}
	x.opened.Add(1)
	var r io.Reader = strings.NewReader(x.Octets)
	if x.ReadErr != nil {
		r = io.MultiReader(r, failing{x.ReadErr})
	}
	return &reader{r, x}, nil
}

// LeftOpen returns how many readers were not closed.
func (x *Text) LeftOpen() int { return int(x.opened.Load() - x.isClosed.Load()) }

type reader struct {
	io.Reader
	x *Text
}

func (r *reader) Close() error {
	if r.x == nil {
		return errors.New("closed twice")
	}
	r.x.isClosed.Add(1)
	r.x = nil
	return nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Tell prints outcomes, a line each: "0 failed 550 5.1.1 nobody (RCPT)".
func Tell(outcomes []mail.Outcome) string {
	var b strings.Builder
	for i := range outcomes {
		fmt.Fprintln(&b, TellOne(&outcomes[i]))
	}
	return b.String()
}

// TellOne prints an outcome.
func TellOne(o *mail.Outcome) string {
	s := fmt.Sprintf("%d %s", o.Recipient, o.Fate)
	if o.Reply != nil {
		s += " " + o.Reply.Error()
	}
	for _, w := range []struct {
		set  bool
		word string
	}{
		{o.Stage != smtp.VerbUnknown, "at " + o.Stage.String()},
		{o.Local, "local"},
		{o.Unsure, "unsure"},
		{o.OurLimit, "our limit"},
		{o.HostDown, "host down"},
		{o.Forwarded, "forwarded"},
		{o.Encoded, "encoded"},
		{o.TLS != "", o.TLS},
		{o.Host != "", o.Host + " [" + o.Addr + "]"},
		{o.Tried != "", "tried " + o.Tried},
	} {
		if w.set {
			s += ", " + w.word
		}
	}
	return s
}
