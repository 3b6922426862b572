package login

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/smtp"
)

// Options set up a [Door].
type Options struct {
	Accounts directory.Accounts // needed; if it is a [directory.Finder] too, there is more than PLAIN and LOGIN
	Tokens   Tokens             // nil: nobody logs in by OAUTHBEARER or XOAUTH2; else if there is a Finder
	Book     *Book              // nil: a new one
	Memory   Memory             // nil: what is to be remembered is forgotten with the process
	Log      *slog.Logger       // hears of trouble with the memory; nil is silence
}

// Door lets people in. It may be used by many goroutines. Make one with [New].
type Door struct {
	opts   Options
	finder directory.Finder // nil: there is none
	decoys atomic.Pointer[[]byte]
}

// New makes a door.
func New(o Options) *Door {
	if o.Book == nil {
		o.Book = NewBook(Budget{})
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Door{opts: o}
	d.finder, _ = o.Accounts.(directory.Finder)
	return d
}

// Visitor is who wants to come in.
type Visitor struct {
	Client netip.Addr           // invalid if it has none: all of those count as one
	TLS    *tls.ConnectionState // nil: without TLS nobody comes in

	CRAMMD5 bool // he may come in by CRAM-MD5, for the sake of old devices
}

// mechanism is a SASL mechanism.
type mechanism struct {
	name  string
	fits  func(*Door, *Visitor) bool
	begin func(*Exchange) exchange
}

// mechanisms are in order of preference.
var mechanisms = []mechanism{
	{"EXTERNAL", (*Door).knowsCertificate, beginExternal},
	{"SCRAM-SHA-256-PLUS", (*Door).canBind, beginBoundSCRAM},
	{"SCRAM-SHA-256", (*Door).canSCRAM, beginSCRAM},
	{"OAUTHBEARER", (*Door).canBear, beginOAuth},
	{"XOAUTH2", (*Door).canBear, beginXOAUTH2},
	{"PLAIN", always, beginPlain},
	{"LOGIN", always, beginLogin},
	{"CRAM-MD5", (*Door).canCRAM, beginCRAM}, // last: what has to be kept for it is worth a password
}

func always(*Door, *Visitor) bool { return true }

// Mechanisms are those that a visitor can use, best first.
func (d *Door) Mechanisms(v *Visitor) []string {
	if v.TLS == nil {
		return nil
	}
	var names []string
	for _, m := range mechanisms {
		if m.fits(d, v) {
			names = append(names, m.name)
		}
	}
	return names
}

// Begin begins an exchange by one of the mechanisms that the visitor can use. The
// context is for all of it.
func (d *Door) Begin(ctx context.Context, name string, v Visitor) *Exchange {
	x := &Exchange{door: d, ctx: ctx, visitor: v, name: name}
	i := slices.IndexFunc(mechanisms, func(m mechanism) bool { return m.name == name })
	if i < 0 || v.TLS == nil || !mechanisms[i].fits(d, &v) {
		x.step = exchangeFunc(func([]byte) ([]byte, bool, error) { return nil, false, x.refuse("the mechanism is not offered") })
		return x
	}
	x.step = mechanisms[i].begin(x)
	return x
}

// exchange is the server's side of a mechanism, as smtpserver.SASL has it.
type exchange interface {
	Next(response []byte) (challenge []byte, done bool, err error)
}

type exchangeFunc func([]byte) ([]byte, bool, error)

func (f exchangeFunc) Next(r []byte) ([]byte, bool, error) { return f(r) }

// Exchange is one exchange. It belongs to one goroutine.
type Exchange struct {
	door    *Door
	ctx     context.Context
	visitor Visitor
	name    string // of the mechanism
	step    exchange
	account *directory.Account
	failed  *Failure // told in a challenge
}

// Next takes a response of the client, nil if there was none yet, and returns the
// next challenge, or done when it has shown who it is. An error is a [*Failure].
func (x *Exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = x.step.Next(response)
	if err == nil {
		return challenge, done, nil
	}
	x.account = nil
	var f *Failure
	if !errors.As(err, &f) { // a library makes no sense of what the client says
		f = x.refuse("the exchange is malformed")
	}
	return nil, false, f
}

// Failed is why somebody is not let in who has been told so in a challenge, before there is a
// reply; nil: there is no such thing. He need not stay to hear the reply.
func (x *Exchange) Failed() *Failure { return x.failed }

// Account is who has come in, nil before that.
func (x *Exchange) Account() *directory.Account { return x.account }

// Failure says why somebody is not let in. It holds nothing that he has said but the
// name of an account that there is.
type Failure struct {
	Account   string // "" if there is none of that name, or it is not known
	Mechanism string
	Why       string
	Reply     *smtp.Reply // what the client is told
	Err       error       // trouble of ours; nil: there was none
}

func (f *Failure) Error() string { return "login by " + f.Mechanism + ": " + f.Why }

// Unwrap returns the trouble.
func (f *Failure) Unwrap() error { return f.Err }

// refuse is a failure of the client.
func (x *Exchange) refuse(why string) *Failure {
	return &Failure{Mechanism: x.name, Why: why, Reply: smtp.Replyf(smtp.CodeBadCredentials, smtp.EnhancedCode{5, 7, 8},
		"Authentication credentials invalid")}
}

// later is a failure that is for now.
func (x *Exchange) later(why string, err error) *Failure {
	return &Failure{Mechanism: x.name, Why: why, Err: err, Reply: smtp.Replyf(smtp.CodeTemporaryAuthFailure, smtp.EnhancedCode{4, 7, 0},
		"Temporary authentication failure, try again later")}
}

// exhausted is a failure of who has failed too often.
func (x *Exchange) exhausted() *Failure {
	return &Failure{Mechanism: x.name, Why: "too many failures before", Reply: smtp.Replyf(smtp.CodeTemporaryAuthFailure, smtp.EnhancedCode{4, 7, 0},
		"Too many failed logins, try again later")}
}

// trying begins a try at an account, if there are failures left for it.
func (x *Exchange) trying(name string) (try, *Failure) {
	t := try{name: directory.FoldName(name), client: x.visitor.Client}
	if t.name == "" || len(t.name) > directory.MaxName {
		return t, x.refuse("the name is empty or too long")
	}
	t.known = x.door.knows(x.ctx, t)
	if !x.door.opts.Book.allows(t, time.Now()) {
		return t, x.named(x.exhausted(), t.name)
	}
	return t, nil
}

// judge has somebody prove himself, and counts what comes of it.
func (x *Exchange) judge(t try, prove func() (*directory.Account, error)) error {
	book := x.door.opts.Book
	if !book.take(t, time.Now()) {
		return x.named(x.exhausted(), t.name)
	}
	a, err := prove()
	now := time.Now()
	switch {
	case err == nil:
		book.forgive(t, now)
		x.door.remember(x.ctx, t, now)
		x.account = a
		return nil
	case errors.Is(err, directory.ErrNoLogin):
		return x.named(x.refuse("no such user, or the wrong password"), t.name)
	case errors.Is(err, directory.ErrBusy):
		book.giveBack(t, now)
		return x.named(x.later("too many log in at a time", nil), t.name)
	}
	book.giveBack(t, now)
	return x.named(x.later("it could not be found out", err), t.name)
}

// named puts the name of an account into a failure, if there is one of that name:
// people type passwords where names should stand.
func (x *Exchange) named(f *Failure, name string) *Failure {
	if x.door.finder == nil {
		return f
	}
	if a, err := x.door.finder.Find(x.ctx, name); err == nil {
		f.Account = a.Name
	}
	return f
}
