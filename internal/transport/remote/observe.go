package remote

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// ready notes how a connection that is ready for mail is secured.
func (t *Transport) ready(ctx context.Context, w *terms, l *link) {
	state, err := l.TLS()
	r := tlspolicy.Result{Encrypted: state != nil, Verified: state != nil && err == nil}
	if w.demand.Testing && !r.Verified {
		r.Err = err
		if state == nil && err == nil {
			r.Err = notOffered()
		}
	}
	t.observe(ctx, w, l.addr, r)
}

// notReady notes that a connection could not be secured.
func (t *Transport) notReady(ctx context.Context, w *terms, addr netip.AddrPort, err error) {
	if !aboutTLS(err) || ctx.Err() != nil {
		return
	}
	if errors.Is(err, smtpclient.ErrNotOffered) {
		err = notOffered()
	}
	t.note(ctx, w, addr, err)
}

func notOffered() error {
	return &tlspolicy.FailureError{Failure: tlspolicy.StartTLSNotSupported, Err: smtpclient.ErrNotOffered}
}

func (t *Transport) note(ctx context.Context, w *terms, addr netip.AddrPort, err error) {
	t.observe(ctx, w, addr, tlspolicy.Result{Err: err})
}

func (t *Transport) observe(ctx context.Context, w *terms, addr netip.AddrPort, r tlspolicy.Result) {
	if t.Observer == nil || !w.judged {
		return
	}
	r.At, r.Query, r.Demand, r.Addr = time.Now(), w.query, w.demand, addr
	t.Observer.Note(ctx, r)
}
