package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
)

// Options set up a [Keeper].
type Options struct {
	Dir       string         // where certificates, keys and the account are kept, if there is no Store
	Directory string         // URL of the authority; its terms are agreed to
	Email     string         // of the account; "": none
	Names     []string       // a certificate for each
	Roots     *x509.CertPool // by which the authority's server is known; nil: those of the system

	// Where challenges are answered, as "HOST:PORT"; "" is nowhere. At least one is
	// needed.
	HTTP, TLSALPN string

	// Account is what the authority has given us beforehand, if it serves only those whom it
	// knows (RFC 8555, 7.3.4).
	Account Account

	// Store keeps all of it for several nodes, of which this one is called Node: one of them
	// gets a certificate, and the others take it up. nil: there is nobody else.
	Store certmagic.Storage
	Node  string
	Every time.Duration // how often it is looked what others have got; 0: a minute

	ReuseKey bool // a renewed certificate has the key of the one before
	Log      *slog.Logger
	Changed  func() // a certificate has come; called by Run and Look; nil is silence
}

// Account is somebody whom an authority knows already; the zero value is nobody.
type Account struct {
	ID  string
	Key string // in base64 for URLs (RFC 4648, 5); padding may be left out
}

// Keeper keeps certificates. Make one with [Open]; it is to be closed. It may be used by
// many goroutines.
type Keeper struct {
	opts      Options
	authority authority
	held      []*held
}

// authority gives out certificates.
type authority interface {
	// load returns the certificate that was got before; [fs.ErrNotExist]: none was.
	load(ctx context.Context, name string) (*tls.Certificate, error)
	obtain(ctx context.Context, name string) error
	renew(ctx context.Context, name string) error
	// wants says when the authority wants a certificate renewed.
	wants(ctx context.Context, c *tls.Certificate) (wish, error)
	serveHTTP(w http.ResponseWriter, r *http.Request) bool
	challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
	close()

	// What follows is between nodes. The error of tried is [fs.ErrNotExist] if the last try
	// went well; nil leaves word that it did.
	alone(ctx context.Context, name string) (release func(), err error)
	tried(ctx context.Context, name string) (*attempt, error)
	leaveWord(ctx context.Context, name string, a *attempt) error
}

// wish is when an authority wants a certificate renewed: at a time that was chosen between
// from and to. All three are zero if it does not say.
type wish struct {
	from, to, at time.Time
	again        time.Duration // after which to ask it again; 0: it does not say
}

// held is one name. What is not in seen belongs to Run.
type held struct {
	name string
	seen atomic.Pointer[State]

	broken bool      // what is kept cannot be used
	wanted time.Time // by the authority; zero: it asks for nothing
	ask    time.Time // when to ask it again
}

// State is how a name is.
type State struct {
	Name        string
	Certificate *tls.Certificate // with its Leaf; nil: there is none yet
	Failures    int              // of the last tries, one after the other
	Err         error            // of the last try; nil: it went well, or none was made
	Next        time.Time        // of the next try; zero: none was made yet
}

// Open reads the certificates that were got before. Nobody is asked for any yet.
func Open(ctx context.Context, o Options) (*Keeper, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Every <= 0 {
		o.Every = time.Minute
	}
	if o.Store == nil {
		if err := checkMode(o.Dir); err != nil {
			return nil, err
		}
	}
	a, err := newMagic(&o)
	if err != nil {
		return nil, err
	}
	return open(ctx, o, a), nil
}

// open goes on without a certificate that cannot be read: Run gets another one.
func open(ctx context.Context, o Options, a authority) *Keeper {
	k := &Keeper{opts: o, authority: a}
	for _, name := range o.Names {
		c, err := a.load(ctx, name)
		h := &held{name: name, broken: err != nil && !errors.Is(err, fs.ErrNotExist)}
		if !h.broken {
			err = nil
		}
		h.seen.Store(&State{Name: name, Certificate: c, Err: err})
		k.held = append(k.held, h)
	}
	return k
}

// Close ends what Open began. Run must have ended.
func (k *Keeper) Close() { k.authority.close() }

// States are those of all names, in the order of the options.
func (k *Keeper) States() []State {
	all := make([]State, len(k.held))
	for i, h := range k.held {
		all[i] = *h.seen.Load()
	}
	return all
}

// Run gets and renews certificates until ctx ends. Call it once.
func (k *Keeper) Run(ctx context.Context) {
	for {
		next := time.Now().Add(24 * time.Hour)
		if k.shared() {
			next = time.Now().Add(k.opts.Every)
		}
		for _, h := range k.held {
			if ctx.Err() != nil {
				return
			}
			k.look(ctx, h)
			if at := h.next(); at.Before(next) {
				next = at
			}
		}
		wait := time.NewTimer(time.Until(next))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}

// next is when a name is to be looked at again.
func (h *held) next() time.Time {
	s := h.seen.Load()
	if s.Certificate != nil && s.Failures == 0 && h.ask.Before(s.Next) {
		return h.ask
	}
	return s.Next
}

// look does what is due for a name.
func (k *Keeper) look(ctx context.Context, h *held) {
	if k.shared() && k.takeUp(ctx, h) {
		k.tell(h)
	}
	s := h.seen.Load()
	now := time.Now()
	if s.Certificate != nil && !now.Before(h.ask) {
		k.ask(ctx, h, s, now)
	}
	next := s.Next
	if s.Certificate != nil && s.Failures == 0 {
		next = h.due(s.Certificate)
	}
	if now.Before(next) {
		h.seen.Store(&State{Name: s.Name, Certificate: s.Certificate, Failures: s.Failures, Err: s.Err, Next: next})
		return
	}
	err := k.try(ctx, h, s)
	var other *attempt
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.As(err, &other):
		k.opts.Log.Info("waiting with another node", "name", h.name, "node", other.Node, "error", other.Reason, "next_try", other.Next.UTC())
		h.seen.Store(&State{Name: s.Name, Certificate: s.Certificate, Failures: other.Failures, Err: other, Next: other.Next})
	default:
		k.failed(h, s, err)
	}
}

// due is when a certificate is to be renewed.
func (h *held) due(c *tls.Certificate) time.Time {
	at := due(c.Leaf)
	if !h.wanted.IsZero() && h.wanted.Before(at) {
		return h.wanted
	}
	return at
}

// ask asks the authority whether it wants a certificate renewed. If that cannot be
// found out, its time decides.
func (k *Keeper) ask(ctx context.Context, h *held, s *State, now time.Time) {
	w, err := k.authority.wants(ctx, s.Certificate)
	if err == nil && (h.wanted.Before(w.from) || h.wanted.After(w.to)) { // else it is as well chosen as another
		h.wanted = w.at
	}
	h.ask = now.Add(asking(w.again))
}

// try gets a certificate, or another one.
func (k *Keeper) try(ctx context.Context, h *held, s *State) error {
	if k.shared() {
		return k.tryAlone(ctx, h, s)
	}
	if err := checkMode(k.opts.Dir); err != nil {
		return err
	}
	return k.get(ctx, h)
}

// get has the authority give a certificate, and puts it into use.
func (k *Keeper) get(ctx context.Context, h *held) error {
	get := k.authority.obtain
	if h.seen.Load().Certificate != nil || h.broken {
		get = k.authority.renew
	}
	if err := get(ctx, h.name); err != nil {
		return err
	}
	c, err := k.authority.load(ctx, h.name)
	if err != nil {
		return err
	}
	k.use(h, c)
	k.tell(h)
	return nil
}

// use puts a certificate into use.
func (k *Keeper) use(h *held, c *tls.Certificate) {
	h.broken = false
	h.wanted, h.ask = time.Time{}, time.Now().Add(asking(0))
	h.seen.Store(&State{Name: h.name, Certificate: c, Next: h.due(c)})
	k.opts.Changed()
}

// tell tells of a certificate that has come.
func (k *Keeper) tell(h *held) {
	c := h.seen.Load().Certificate
	k.opts.Log.Info("a new certificate is in use", "name", h.name, "until", c.Leaf.NotAfter.UTC(), "from", k.opts.Directory)
}

// failed notes and tells a failure.
func (k *Keeper) failed(h *held, s *State, err error) {
	now := time.Now()
	is := &State{Name: s.Name, Certificate: s.Certificate, Failures: s.Failures + 1, Err: err}
	is.Next = now.Add(patience(is.Failures))
	h.seen.Store(is)
	serves := "one that was made for the run"
	switch c := is.Certificate; {
	case c != nil && now.Before(c.Leaf.NotAfter):
		serves = "the one before, until " + c.Leaf.NotAfter.UTC().Format(time.RFC3339)
	case c != nil:
		serves = "the one before, though it is over since " + c.Leaf.NotAfter.UTC().Format(time.RFC3339)
	}
	k.opts.Log.Error("no new certificate could be got", "name", h.name, "from", k.opts.Directory,
		"error", err, "failures", is.Failures, "next_try", is.Next.UTC(), "in_use", serves)
}
