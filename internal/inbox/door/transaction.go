package door

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/scenario"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// transaction is one message on its way in.
type transaction struct {
	*session
	from  smtp.Path
	to    []smtp.Path
	asked bool // the scenario was asked at DATA
}

// Abort implements [smtpserver.Transaction].
func (t *transaction) Abort() {}

// Rcpt implements [smtpserver.Transaction].
func (t *transaction) Rcpt(ctx context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	e := scenario.Event{Step: scenario.Rcpt, From: t.from.String(), To: []string{to.String()}}
	if err := t.stage(ctx, e, t.inboxes([]smtp.Path{to})...); err != nil {
		return nil, err
	}
	t.to = append(t.to, to)
	return nil, nil
}

// inboxes are those that mail for some recipients goes to.
func (t *transaction) inboxes(to []smtp.Path) []string {
	source := mail.Source{Login: t.login, Listener: t.door.o.Listener}
	return t.door.o.By.Names(&source, to, t.door.o.Name)
}

// StartText implements [smtpserver.TextStarter].
func (t *transaction) StartText(ctx context.Context) error {
	t.asked = true
	return t.stage(ctx, t.event(scenario.Data), t.inboxes(t.to)...)
}

func (t *transaction) event(step scenario.Step) scenario.Event {
	e := scenario.Event{Step: step, From: t.from.String()}
	for _, to := range t.to {
		e.To = append(e.To, to.String())
	}
	return e
}

// Data implements [smtpserver.Transaction]. The message is in the inboxes when this
// returns no error.
func (t *transaction) Data(ctx context.Context, body io.Reader) (*smtp.Reply, error) {
	if !t.asked { // it comes by BDAT
		if err := t.StartText(ctx); err != nil {
			return nil, err
		}
	}
	in := &metered{Reader: body, all: &t.door.coming}
	defer in.done()
	text, err := io.ReadAll(io.LimitReader(in, inbox.MaxMessage))
	if err != nil {
		return nil, err
	}
	verdict := t.stage(ctx, t.event(scenario.Dot), t.inboxes(t.to)...)
	if verdict != nil && !errors.Is(verdict, errDropped) {
		return nil, verdict
	}
	kept, err := t.keep(ctx, string(text))
	if err != nil {
		return nil, t.fault(err)
	}
	t.talk.came(kept)
	if verdict != nil {
		return nil, verdict // the client does not hear that it was kept
	}
	return smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "Kept as %s", kept[0].id), nil
}

// maxComing is how many octets of texts are held at a time while they come in.
const maxComing = 512 << 20

// metered counts what a text takes of the memory for all.
type metered struct {
	io.Reader
	all  *atomic.Int64
	mine int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.mine += int64(n)
	if m.all.Add(int64(n)) > maxComing {
		return n, smtp.Replyf(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 3, 1}, "Too much is coming in at a time, try again later")
	}
	return n, err
}

func (m *metered) done() { m.all.Add(-m.mine) }

// keep puts a copy into each inbox.
func (t *transaction) keep(ctx context.Context, text string) (kept []key, err error) {
	fields, err := t.trace()
	if err != nil {
		return nil, err
	}
	a := inbox.Arrival{From: t.from, To: t.to, Source: t.source(), Dialogue: t.talk.soFar()}
	for _, a.Inbox = range t.inboxes(t.to) {
		m, err := t.door.o.Store.Put(context.WithoutCancel(ctx), a, io.MultiReader(strings.NewReader(fields), strings.NewReader(text)))
		if err != nil {
			return kept, err
		}
		t.tell(&m)
		kept = append(kept, key{m.Inbox, m.ID})
	}
	return kept, nil
}

// trace is the fields that final delivery puts before a message (RFC 5321, 4.4).
func (t *transaction) trace() (string, error) {
	returnPath, err := message.ReturnPath(t.from.String())
	if err != nil {
		return "", err
	}
	s := t.source()
	received := message.Received{
		Helo: s.Hello, Addr: s.Client.Addr(), By: t.door.o.Hostname, With: s.Protocol, TLS: s.TLS, Date: time.Now(),
	}
	if len(t.to) == 1 { // of several, none may learn of another (RFC 5321, 7.2)
		received.For = t.to[0].String()
	}
	return returnPath + received.String(), nil
}

// tell logs a message that was kept.
func (t *transaction) tell(m *inbox.Message) {
	t.door.o.Log.Info("kept",
		"id", m.ID,
		"inbox", m.Inbox,
		"from", "<"+m.From+">",
		"to", firstFew(m.To),
		"recipients", len(m.To),
		"size", m.Size,
		"subject", m.Subject,
		"client", m.Source.Client.String(),
		"protocol", m.Source.Protocol)
}

// few is how many recipients the log names.
const few = 5

func firstFew(to []string) string {
	if len(to) <= few {
		return strings.Join(to, ", ")
	}
	return strings.Join(to[:few], ", ") + ", ..."
}

// fault tells the client of a full disk, which passes.
func (t *transaction) fault(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		t.door.o.Log.Error("no space left", "err", err)
		return smtp.Replyf(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 3, 1}, "No space left to keep the message, try again later")
	}
	return fmt.Errorf("the inbox: %w", err)
}
