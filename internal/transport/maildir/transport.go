package maildir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"syscall"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// Options are of a [Transport].
type Options struct {
	// Root is the directory below which all Maildirs are.
	Root string
	// Path is the place of a Maildir below Root, with slashes. In it stand for
	// something, in lower case:
	//
	//	%{user}    the local part of the recipient, without quotes
	//	%{domain}  its domain, as A-labels
	//
	// "" is "%{domain}/%{user}".
	Path string
	// Tag separates a tag from the user in a local part, such as "+" in
	// jane+lists; the tag is no part of %{user}. "": there are no tags.
	Tag string
	// Quota is how many octets a Maildir may hold, in new and cur; 0: any number.
	Quota int64
	// MaxOpen is how many Maildirs are kept open, with three descriptors each; 0: 200.
	MaxOpen int
	// Aliases: the Maildirs are those that aliases in the form of Unix name in
	// mail.Recipient.Into, by their full paths. Root, Path and Tag are not used.
	Aliases bool
	// Disk is what the Maildirs are on; nil: that of this machine.
	Disk Disk
}

// Transport is the [transport.Transport] that delivers into Maildirs, which it
// makes if they are missing: whether somebody lives there is not its question. It is
// made by [New].
type Transport struct {
	opts Options
	path template
	open opened
}

var _ transport.Transport = (*Transport)(nil)

// New makes a transport. The error says what is wrong with the path.
func New(o Options) (*Transport, error) {
	if o.Path == "" {
		o.Path = "%{domain}/%{user}"
	}
	path, err := parseTemplate(o.Path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", o.Path, err)
	}
	if o.Disk == nil {
		o.Disk = System{}
	}
	t := &Transport{opts: o, path: path}
	t.open.disk = o.Disk
	t.open.most = o.MaxOpen
	if t.open.most <= 0 {
		t.open.most = 200
	}
	return t, nil
}

// Close closes the Maildirs. Deliveries under way close theirs when they end.
func (t *Transport) Close() error { return t.open.close() }

// Deliver implements [transport.Transport]. The fate of success is Delivered, and
// the message is on stable storage then, below a Return-Path and a Delivered-To. Junk
// goes into the folder .Junk of the Maildir, which has a quota of its own.
func (t *Transport) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	s := transport.NewSheet(&d)
	for i, recipient := range d.Recipients {
		if ctx.Err() != nil {
			s.DecideAll(transport.Interrupted())
			break
		}
		s.Decide(i, t.one(&d, recipient))
	}
	return s.Outcomes()
}

// one delivers to one recipient.
func (t *Transport) one(d *transport.Delivery, recipient int) mail.Outcome {
	root, dir, err := t.where(&d.Envelope.To[recipient])
	if err != nil {
		return outcome(mail.Failed, smtp.CodeNameNotAllowed, smtp.EnhancedCode{5, 1, 3}, "%v", err)
	}
	box, err := t.open.get(root, dir)
	if err != nil {
		return diskFault(err)
	}
	text := transport.Prepend(transport.FinalFields(d.Envelope, recipient), d.Content)
	if !box.fits(text.Size(), t.opts.Quota) {
		t.open.put(box, true)
		return outcome(mail.Deferred, smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 2, 2}, "The mailbox is full: it holds %d octets at most", t.opts.Quota)
	}
	name, err := box.deliver(text)
	t.open.put(box, err == nil)
	var fault *textError
	switch {
	case errors.As(err, &fault):
		return transport.Unreadable(fault.err)
	case err != nil:
		return diskFault(err)
	}
	return mail.Outcome{Fate: mail.Delivered, Reply: transport.Local(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "Delivered as %s/%s", dir, name)}
}

// where is the Maildir of a recipient, below a root.
func (t *Transport) where(to *mail.Recipient) (root, dir string, err error) {
	if !t.opts.Aliases {
		dir, err = t.path.fill(to.To, t.opts.Tag)
		return t.opts.Root, dir + folderOf(to), err
	}
	if !filepath.IsAbs(to.Into) {
		return "", "", errors.New("the alias names no Maildir")
	}
	return "", filepath.Clean(to.Into) + folderOf(to), nil
}

// folderOf is the folder of a Maildir that gets the mail, in the way of Maildir++: a Maildir
// inside it, whose name begins with a dot.
func folderOf(to *mail.Recipient) string {
	if to.Junk {
		return "/.Junk"
	}
	return ""
}

// textError is a fault of the text, and not of the Maildir.
type textError struct{ err error }

func (e *textError) Error() string { return e.err.Error() }

// deliver writes a message, and returns its file's name.
func (m *Maildir) deliver(text mail.Content) (string, error) {
	r, err := text.Open()
	if err != nil {
		return "", &textError{err}
	}
	defer r.Close()
	draft, err := m.create(text.Size())
	if err != nil {
		return "", err
	}
	defer draft.Abort()
	in := &source{r: r}
	_, err = io.Copy(draft, in)
	switch {
	case in.fault != nil:
		return "", &textError{in.fault}
	case err != nil:
		return "", err
	case draft.Size() != text.Size():
		return "", &textError{fmt.Errorf("it has %d octets, and said %d", draft.Size(), text.Size())}
	}
	return draft.Commit()
}

// source is a reader that remembers its own fault.
type source struct {
	r     io.Reader
	fault error
}

// Read implements [io.Reader].
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.fault = err
	}
	return n, err
}

func outcome(fate mail.Fate, code smtp.Code, enhanced smtp.EnhancedCode, format string, args ...any) mail.Outcome {
	return mail.Outcome{Fate: fate, Local: true, Reply: transport.Local(code, enhanced, format, args...)}
}

// diskFault is the outcome of a Maildir that cannot be written: later, perhaps.
func diskFault(err error) mail.Outcome {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return outcome(mail.Deferred, smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 3, 1}, "The disk is full: %v", err)
	}
	return outcome(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "The mailbox cannot be written: %v", err)
}
