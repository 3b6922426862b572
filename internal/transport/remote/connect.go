package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

func (t *Transport) policy(host string) (smtpclient.TLSPolicy, *tls.Config) {
	if t.Policy == nil {
		return smtpclient.TLSOpportunistic, nil
	}
	return t.Policy(host)
}

// connect makes a connection to one of the addresses that is ready for MAIL. failed
// are the addresses that are to blame, with why; there is one if err is not nil.
func (t *Transport) connect(ctx context.Context, h *transport.Host, k key, w *terms, addrs []netip.AddrPort) (l *link, failed []dialled, err error) {
	l, failed, err = t.connectOnce(ctx, h, k, w, addrs)
	again, err := t.refused(failed, err)
	if again {
		l, failed, err = t.connectOnce(ctx, h, k, w, addrs)
		_, err = t.refused(failed, err)
	}
	return l, failed, err
}

// refused reports whether a host that has refused who we are may let us in with something
// else. If it will not, the error says why.
func (t *Transport) refused(failed []dialled, err error) (again bool, _ error) {
	var refusal *smtpclient.AuthError
	if t.AuthRefused == nil || len(failed) == 0 || !errors.As(err, &refusal) || !refusal.Reply.Code.Permanent() {
		return false, err
	}
	last := &failed[len(failed)-1]
	instead := t.AuthRefused(last.auth, refusal)
	if instead == nil {
		return true, err
	}
	last.err = &smtpclient.ConnectionError{Stage: smtp.VerbAUTH, Err: instead}
	return false, last.err
}

// connectOnce is connect, with what Auth says first.
func (t *Transport) connectOnce(ctx context.Context, h *transport.Host, k key, w *terms, addrs []netip.AddrPort) (l *link, failed []dialled, err error) {
	d := &smtpclient.Dialer{LocalName: t.LocalName, TLS: k.policy, TLSConfig: w.config, Timeouts: t.Timeouts, Refuse8Bit: t.Refuse8Bit}
	d.Timeouts.Connect = orElse(d.Timeouts.Connect, 30*time.Second)
	if t.Auth != nil {
		if d.Auth, err = t.Auth(ctx); err != nil {
			err = &smtpclient.ConnectionError{Stage: smtp.VerbAUTH, Err: err}
			return nil, []dialled{{addr: addrs[0], err: err}}, err
		}
	}
	var won dialled
	if t.Trace != nil {
		d.Trace = func(host string, nc net.Conn) *smtpclient.Trace {
			won.trace = t.Trace(host, nc)
			return won.trace
		}
	}
	d.NetDial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if won.conn != nil {
			// TLS has failed that was only opportunistic, and the Dialer comes a
			// second time, to do without.
			addrs = []netip.AddrPort{won.addr}
		}
		var lost []dialled
		won, lost = t.race(ctx, addrs)
		failed = append(failed, lost...)
		if won.conn == nil {
			return nil, why(lost[len(lost)-1].err)
		}
		return won.conn, nil
	}
	c, err := d.Dial(ctx, "tcp", net.JoinHostPort(h.Name, strconv.Itoa(int(k.port))))
	if err != nil {
		if won.conn != nil {
			failed = append(failed, dialled{addr: won.addr, err: err, trace: won.trace, auth: d.Auth})
			t.notReady(ctx, w, won.addr, err)
		}
		return nil, failed, err
	}
	l = &link{Conn: c, key: k, addr: won.addr, trace: won.trace, judged: w.judged}
	t.ready(ctx, w, l)
	return l, failed, nil
}

// tlsWords tells how a connection is secured: "TLS 1.3 TLS_AES_128_GCM_SHA256".
func tlsWords(l *link) string {
	state, err := l.TLS()
	if state == nil {
		return ""
	}
	words := tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
	switch {
	case !l.judged:
		return words
	case err != nil:
		return words + ", not verified"
	}
	return words + ", verified"
}
