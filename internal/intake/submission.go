package intake

import (
	"context"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// SubmissionOptions is how a listener takes mail from people's programs (RFC 6409). The
// zero value is good.
type SubmissionOptions struct {
	HideClient bool // Received tells neither the name nor the address of the client
	CRAMMD5    bool // CRAM-MD5 is offered too
}

// Submissions returns the handler of a listener to which people's programs submit mail.
// They log in by Options.Logins, under TLS, or come from one of Options.RelayFrom;
// nobody else's mail is taken. Their messages are mended as RFC 6409, 8 says.
func (d *Desk) Submissions(name string, how SubmissionOptions) smtpserver.Handler {
	return submissionListener{listener{d, name}, how}
}

type submissionListener struct {
	listener
	how SubmissionOptions
}

func (l submissionListener) NewSession(ctx context.Context, c *smtpserver.Conn) (smtpserver.Session, error) {
	plain, err := l.listener.NewSession(ctx, c)
	if err != nil {
		return nil, err
	}
	return &submissionSession{session: *plain.(*session), how: l.how}, nil
}

// submissionSession is a connection of somebody's program.
type submissionSession struct {
	session
	how     SubmissionOptions
	account *directory.Account // who has logged in, if the exchange came to its end
}

var (
	_ smtpserver.Authenticator = (*submissionSession)(nil)
	_ smtpserver.Verifier      = (*submissionSession)(nil)
	_ smtpserver.Expander      = (*submissionSession)(nil)
)

// Mechanisms implements [smtpserver.Authenticator].
func (s *submissionSession) Mechanisms() []string {
	door := s.desk.opts.Load().Logins
	if door == nil {
		return nil
	}
	v := s.visitor()
	return door.Mechanisms(&v)
}

func (s *submissionSession) visitor() login.Visitor {
	return login.Visitor{Client: s.conn.RemoteAddr().Addr(), TLS: s.conn.TLS(), CRAMMD5: s.how.CRAMMD5}
}

// Authenticate implements [smtpserver.Authenticator].
func (s *submissionSession) Authenticate(ctx context.Context, mechanism string) (smtpserver.SASL, error) {
	s.account = nil
	o := s.desk.opts.Load()
	if o.Logins == nil { // the options have changed just now
		return nil, smtp.Replyf(smtp.CodeTemporaryAuthFailure, smtp.EnhancedCode{4, 7, 0}, "Nobody logs in here now")
	}
	return &exchange{Exchange: o.Logins.Begin(ctx, mechanism, s.visitor()), session: s, o: o}, nil
}

// exchange tells how a login ended.
type exchange struct {
	*login.Exchange
	session *submissionSession
	o       *Options
	stated  bool // that it has failed
}

// Next implements [smtpserver.SASL].
func (x *exchange) Next(response []byte) ([]byte, bool, error) {
	challenge, done, err := x.Exchange.Next(response)
	var f *login.Failure
	if errors.As(err, &f) {
		x.state(f)
		return nil, false, f.Reply
	}
	if f := x.Failed(); f != nil {
		x.state(f)
	}
	if done {
		x.session.account = x.Account()
	}
	return challenge, done, err
}

// state tells that a login has failed, once.
func (x *exchange) state(f *login.Failure) {
	if x.stated {
		return
	}
	x.stated = true
	x.o.Observe(event.Entry{At: time.Now(), Event: &event.LoginFailed{
		Source: x.session.source(), Mechanism: f.Mechanism, Account: f.Account, Why: f.Why, Reply: f.Reply,
	}})
	if f.Err != nil {
		x.o.Log.Error("nobody can log in", "error", f.Err)
	}
}

// who is who has logged in, nil if nobody has.
func (s *submissionSession) who() *directory.Account {
	if s.account != nil && s.conn.Mechanism() != "" {
		return s.account
	}
	if name := s.login(); name != "" { // as a trusted proxy says
		return &directory.Account{Name: directory.FoldName(name)}
	}
	return nil
}

// Mail implements [smtpserver.Session].
func (s *submissionSession) Mail(ctx context.Context, from smtp.Path, params *smtp.MailParams) (smtpserver.Transaction, error) {
	o := s.desk.opts.Load()
	v := &policy.Visit{Source: s.source(), From: from}
	t := &transaction{desk: s.desk, o: o, visit: v, params: *params, relay: true}
	t.submitted = &submitted{account: s.who(), how: s.how}
	if a := t.submitted.account; a != nil {
		v.Source.Login = a.Name
	}
	err := t.admit(ctx)
	if err == nil {
		err = s.open(ctx, t)
	}
	if err != nil {
		return nil, o.refuse(v, smtp.VerbMAIL, smtp.Path{}, err)
	}
	return t, nil
}

// submitted is what is special about a message that was submitted.
type submitted struct {
	account *directory.Account // nil: it comes from a network that is trusted
	how     SubmissionOptions
	mended  []string // what was
}

// admit says whether a client may submit mail at all, from whom it says.
func (t *transaction) admit(ctx context.Context) error {
	a, from := t.submitted.account, t.visit.From
	switch {
	case a == nil && t.o.trusts(t.visit.Source.Client):
		return nil
	case a == nil:
		return smtp.Replyf(smtp.CodeAuthRequired, smtp.EnhancedCode{5, 7, 0}, "Authentication required")
	}
	if !from.IsNull() { // as of a notice that a message was read (RFC 8098, 3)
		if err := t.maySend(ctx, from, smtp.CodeNameNotAllowed); err != nil {
			return err
		}
	}
	if t.o.Logins != nil && !t.o.Logins.Message(a.Name, time.Now()) {
		return smtp.Replyf(smtp.CodeMailboxBusy, smtp.EnhancedCode{4, 7, 1}, "You have sent many messages, try again later")
	}
	return nil
}

// maySend says whether who has logged in may send as somebody (RFC 6409, 6.1).
func (t *transaction) maySend(ctx context.Context, as smtp.Path, code smtp.Code) error {
	a := t.submitted.account
	if a == nil {
		return nil
	}
	senders := a.Sends
	if senders == nil {
		senders = &t.o.Senders
	}
	may, err := senders.May(ctx, a.Name, as, t.o.Directory)
	if err == nil && !may {
		err = smtp.Replyf(code, smtp.EnhancedCode{5, 7, 1}, "You may not send as <%s>", as)
	}
	return err
}

// mayAdd says whether who has logged in may send to one more.
func (t *transaction) mayAdd() error {
	if t.submitted == nil || t.submitted.account == nil || t.o.Logins == nil {
		return nil
	}
	if t.o.Logins.Recipient(t.submitted.account.Name, time.Now()) {
		return nil
	}
	return smtp.Replyf(smtp.CodeMailboxBusy, smtp.EnhancedCode{4, 7, 1}, "You have sent to many recipients, try again later")
}

// Verify implements [smtpserver.Verifier].
func (s *submissionSession) Verify(ctx context.Context, user string) (*smtp.Reply, error) {
	if s.who() == nil {
		return s.session.Verify(ctx, user)
	}
	return directory.Verify(ctx, s.desk.opts.Load().Directory, user)
}

// Expand implements [smtpserver.Expander].
func (s *submissionSession) Expand(ctx context.Context, list string) (*smtp.Reply, error) {
	if s.who() == nil {
		return s.session.Expand(ctx, list)
	}
	return directory.Expand(ctx, s.desk.opts.Load().Directory, list)
}
