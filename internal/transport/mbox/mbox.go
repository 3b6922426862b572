// Package mbox is the transport into a file that an alias in the form of Unix
// names: the message is put behind what the file holds, as an mbox of the kind
// mboxrd. It begins with a line "From sender date", its lines end with LF, a line
// that begins with "From ", or so behind any number of ">", gets one more ">", and
// an empty line is behind it.
//
// The file is locked meanwhile, as mail readers lock it (fcntl), and on stable
// storage when the fate is Delivered. What does not fit, or cannot be read to
// its end, is cut off again; only a crash in the middle leaves a part, and then
// the next message begins on a line of its own.
//
// The file must be a plain one that nobody may execute, and no symbolic link;
// it is made, for its owner only, if it is missing, but not the folders above
// it. Mail for /dev/null is discarded.
package mbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// Options are of a [Transport].
type Options struct {
	// Wait is how long a file may be locked by another program before the mail is
	// deferred; 0 is 20 seconds.
	Wait time.Duration
}

// Transport delivers into the files that mail.Recipient.Into names. It is made by
// [New].
type Transport struct{ wait time.Duration }

var _ transport.Transport = (*Transport)(nil)

// New makes a transport.
func New(o Options) *Transport {
	if o.Wait <= 0 {
		o.Wait = 20 * time.Second
	}
	return &Transport{wait: o.Wait}
}

// Deliver implements [transport.Transport].
func (t *Transport) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	s := transport.NewSheet(&d)
	for i, recipient := range d.Recipients {
		if ctx.Err() != nil {
			s.DecideAll(transport.Interrupted())
			break
		}
		s.Decide(i, t.one(ctx, &d, recipient))
	}
	return s.Outcomes()
}

// one delivers to one recipient.
func (t *Transport) one(ctx context.Context, d *transport.Delivery, recipient int) mail.Outcome {
	name := d.Envelope.To[recipient].Into
	switch {
	case name == os.DevNull:
		return local(mail.Discarded, smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "Discarded by an alias (%s)", d.Hop.Origin)
	case !filepath.IsAbs(name) || strings.HasSuffix(name, "/"):
		return local(mail.Failed, smtp.CodeFailed, smtp.EnhancedCode{5, 3, 5}, "%q is no file", name)
	}
	text, err := d.Content.Open()
	if err != nil {
		return transport.Unreadable(err)
	}
	defer text.Close()
	in := &source{r: text, left: d.Content.Size()}
	err = t.append(ctx, name, func(f *os.File) error {
		return write(f, d.Envelope, transport.FinalFields(d.Envelope, recipient), in)
	})
	switch {
	case in.fault != nil:
		return transport.Unreadable(in.fault)
	case ctx.Err() != nil && err != nil:
		return transport.Interrupted()
	case err != nil:
		return fileFault(err)
	}
	return mail.Outcome{Fate: mail.Delivered, Reply: transport.Local(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "Delivered into %s", name)}
}

// fileFault is the outcome of a file that cannot be written: later, perhaps.
func fileFault(err error) mail.Outcome {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return local(mail.Deferred, smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 3, 1}, "The disk is full: %v", err)
	case errors.Is(err, errUnfit), errors.Is(err, fs.ErrNotExist):
		return local(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 5}, "The file cannot be used: %v", err)
	case errors.Is(err, errLocked):
		return local(mail.Deferred, smtp.CodeMailboxBusy, smtp.EnhancedCode{4, 2, 0}, "%v", err)
	}
	return local(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "The file cannot be written: %v", err)
}

func local(fate mail.Fate, code smtp.Code, enhanced smtp.EnhancedCode, format string, args ...any) mail.Outcome {
	return mail.Outcome{Fate: fate, Local: true, Reply: transport.Local(code, enhanced, format, args...)}
}
