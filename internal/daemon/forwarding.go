package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/forward"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/arc"
	"github.com/posthouse/posthouse/senderauth/srs"
	"github.com/posthouse/posthouse/smtp"
)

// buildForwarding has mail that goes on elsewhere go in our name, if the configuration wants it: the
// way out writes senders anew, and the way in knows them again.
func (b *builder) buildForwarding(r *rooms) {
	f := &b.cfg.Forwarding
	if f.SRS.Value == "" && f.Seal.Value == "" {
		return
	}
	o := forward.Options{Ours: b.ours()}
	if f.SRS.Value != "" {
		senders := &senders{states: b.states, domain: f.SRS.Value, random: b.world.Random}
		o.Sender = senders.forward
		r.directory = &knowing{r.directory, senders}
	}
	if f.Seal.Value != "" {
		o.Seal = (&forward.Sealer{Hostname: b.cfg.Hostname.Value, Key: r.signers.seals(f.Seal.Value)}).Seal
		if len(r.signers[f.Seal.Value]) == 0 {
			b.add(f.Seal.Origin, "there is no key of %s (posthouse domain add %s makes one)", f.Seal.Value, f.Seal.Value)
		}
	}
	for name, t := range r.transports {
		if _, out := t.(transport.Planner); out { // to other hosts
			r.transports[name] = forward.New(t, o)
		}
	}
}

// ours reports whether a domain is one of ours.
func (b *builder) ours() func(domain string) bool {
	names := map[string]bool{mail.FoldDomain(b.cfg.Hostname.Value): true}
	for i := range b.cfg.Domains {
		for _, name := range append([]string{b.cfg.Domains[i].Name}, b.cfg.Domains[i].Also.Value...) {
			names[name] = true
		}
	}
	return func(domain string) bool { return names[domain] }
}

// seals returns the key with which a domain seals: RSA, if there is one, since many who verify
// chains know nothing else.
func (s signers) seals(domain string) func(now time.Time) (arc.Key, bool) {
	return func(now time.Time) (key arc.Key, ok bool) {
		for _, k := range s.signing(domain, now) {
			alg, err := senderauth.AlgorithmOf(k.Signer.Public())
			if err != nil || ok && alg != senderauth.RSASHA256 {
				continue
			}
			key, ok = arc.Key{Domain: k.Domain, Selector: k.Selector, Signer: k.Signer}, true
		}
		return key, ok
	}
}

// senders writes senders anew and knows them again. The secret is made when it is needed
// first, and is kept with the mail.
type senders struct {
	states *states
	domain string
	random io.Reader // nil: crypto/rand
	made   atomic.Pointer[srs.Rewriter]
}

// Where the secret is kept.
const (
	srsRoom = "srs"
	srsKey  = "secret"
	srsSize = 32 // octets
)

func (s *senders) rewriter(ctx context.Context) (*srs.Rewriter, error) {
	if r := s.made.Load(); r != nil {
		return r, nil
	}
	secret, err := s.secret(ctx)
	if err != nil {
		return nil, err
	}
	r := &srs.Rewriter{Domain: s.domain, Secrets: [][]byte{secret}}
	s.made.Store(r)
	return r, nil
}

// secret reads the secret, or makes it. Of two who make it at once one is told of the
// other's.
func (s *senders) secret(ctx context.Context) ([]byte, error) {
	st, err := s.states.State(ctx, srsRoom, srsKey)
	if err == nil || !errors.Is(err, spool.ErrNotFound) {
		return st.Value, err
	}
	random := s.random
	if random == nil {
		random = rand.Reader
	}
	secret := make([]byte, srsSize)
	if _, err := io.ReadFull(random, secret); err != nil {
		return nil, err
	}
	_, err = s.states.PutState(ctx, spool.State{Room: srsRoom, Key: srsKey, Value: secret}, 0)
	if errors.Is(err, spool.ErrConflict) {
		st, err = s.states.State(ctx, srsRoom, srsKey)
		return st.Value, err
	}
	return secret, err
}

// forward is for forward.Options.Sender. An address that cannot be rewritten stays.
func (s *senders) forward(ctx context.Context, sender smtp.Path, now time.Time) (smtp.Path, error) {
	r, err := s.rewriter(ctx)
	if err != nil {
		return sender, err
	}
	text, err := r.Forward(sender.String(), now)
	if err != nil {
		return sender, nil
	}
	return smtp.ParseMailbox(text)
}

// knowing is a directory that knows the senders that were written anew.
type knowing struct {
	directory.Directory
	senders *senders
}

// Lookup implements [directory.Directory].
func (k *knowing) Lookup(ctx context.Context, to smtp.Path) (directory.Resolution, error) {
	local := strings.ToUpper(to.Local())
	if mail.FoldDomain(to.Domain()) != k.senders.domain || !strings.HasPrefix(local, "SRS0") && !strings.HasPrefix(local, "SRS1") {
		return k.Directory.Lookup(ctx, to)
	}
	r, err := k.senders.rewriter(ctx)
	if err != nil {
		return directory.Resolution{}, err
	}
	text, err := r.Reverse(to.String(), time.Now())
	switch {
	case errors.Is(err, srs.ErrNotOurs):
		return k.Directory.Lookup(ctx, to)
	case err != nil:
		return directory.Resolution{Kind: directory.Unknown, Address: to}, nil
	}
	back, err := smtp.ParseMailbox(text)
	if err != nil {
		return directory.Resolution{Kind: directory.Unknown, Address: to}, nil
	}
	return directory.Resolution{Kind: directory.Alias, Address: to, To: []directory.Target{{To: back}}}, nil
}

// Explain implements [directory.Explainer].
func (k *knowing) Explain(ctx context.Context, to smtp.Path) ([]directory.Line, error) {
	if x, is := k.Directory.(directory.Explainer); is {
		return x.Explain(ctx, to)
	}
	return nil, nil
}
