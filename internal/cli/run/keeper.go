package run

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/internal/transport/maildir"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// keeper is the handler that takes every message and keeps it.
type keeper struct {
	box      *maildir.Maildir
	hostname string
	log      *slog.Logger
}

func (k *keeper) NewSession(_ context.Context, c *smtpserver.Conn) (smtpserver.Session, error) {
	return session{k, c}, nil
}

type session struct {
	*keeper
	conn *smtpserver.Conn
}

func (s session) Mail(_ context.Context, from smtp.Path, _ *smtp.MailParams) (smtpserver.Transaction, error) {
	return &transaction{session: s, from: from}, nil
}

func (session) Close() {}

// transaction is one message on its way in.
type transaction struct {
	session
	from smtp.Path
	to   []smtp.Path
}

func (t *transaction) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	t.to = append(t.to, to)
	return nil, nil
}

func (t *transaction) Abort() {}

// Data keeps the message. It is on stable storage when this returns no error.
func (t *transaction) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	id := rand.Text()[:12] // 60 bits
	draft, err := t.box.Create()
	if err != nil {
		return nil, t.fault(id, err)
	}
	defer draft.Abort()
	if err := t.mark(draft, id); err != nil {
		return nil, t.fault(id, err)
	}
	marks := draft.Size()
	var head head
	if _, err := io.Copy(io.MultiWriter(draft, &head), body); err != nil {
		return nil, t.fault(id, err)
	}
	name, err := draft.Commit()
	if err != nil {
		return nil, t.fault(id, err)
	}
	t.tell(id, name, draft.Size()-marks, head.subject())
	return smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "Kept as %s", id), nil
}

// mark writes what final delivery puts before a message (RFC 5321, 4.4).
func (t *transaction) mark(w io.Writer, id string) error {
	returnPath, err := message.ReturnPath(t.from.String())
	if err != nil {
		return err
	}
	received := message.Received{
		Helo: t.conn.Hello(),
		Addr: t.conn.RemoteAddr().Addr(),
		By:   t.hostname,
		With: t.conn.Protocol(),
		ID:   id,
		Date: time.Now(),
	}
	if state := t.conn.TLS(); state != nil {
		received.TLS = tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
	}
	if len(t.to) == 1 {
		received.For = t.to[0].String()
	}
	_, err = io.WriteString(w, returnPath+received.String())
	return err
}

// tell logs the message that was kept.
func (t *transaction) tell(id, name string, size int64, subject string) {
	t.log.Info("kept",
		"id", id,
		"from", "<"+t.from.String()+">",
		"to", firstFew(t.to),
		"recipients", len(t.to),
		"size", size,
		"subject", subject,
		"file", name,
		"client", t.conn.RemoteAddr().String(),
		"protocol", t.conn.Protocol())
}

// few is how many recipients the log names.
const few = 5

func firstFew(paths []smtp.Path) string {
	var names []string
	for _, p := range paths[:min(few, len(paths))] {
		names = append(names, p.String())
	}
	if len(paths) > few {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// fault tells the client of a full disk, which passes. Other errors, those of
// the text among them, stay as they are.
func (t *transaction) fault(id string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		t.log.Error("no space left", "id", id, "err", err)
		return smtp.Replyf(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 3, 1}, "No space left to keep the message, try again later")
	}
	return err
}
