package remote_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// doorman is a relay that takes one token.
type doorman struct{ token string }

func (d doorman) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return d, nil
}
func (doorman) Mechanisms() []string { return []string{sasl.OAuthBearer} }

func (d doorman) Authenticate(context.Context, string) (smtpserver.SASL, error) {
	return sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
		if o.Token != d.token {
			return &sasl.OAuthBearerError{Status: "invalid_token"}
		}
		return nil
	}), nil
}

func (d doorman) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	return d, nil
}

func (doorman) Rcpt(context.Context, smtp.Path, *smtp.RcptParams) (*smtp.Reply, error) {
	return nil, nil
}

func (doorman) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	_, err := io.Copy(io.Discard, body)
	return nil, err
}
func (doorman) Abort() {}
func (doorman) Close() {}

// TestAuthRefused: what a relay does not take is replaced once, at once; and when there
// is nothing better, the mail is stuck until a person acts.
func TestAuthRefused(t *testing.T) {
	stuck := &transport.StuckError{Err: errors.New("log in again")}
	for _, c := range []struct {
		name   string
		tokens []string // what Auth says
		asked  []string // what the relay refused
		then   error
		fate   mail.Fate
		stuck  bool
	}{
		{"good", []string{"new"}, nil, nil, mail.Relayed, false},
		{"old, then new", []string{"old", "new"}, []string{"old"}, nil, mail.Relayed, false},
		{"nothing better", []string{"old"}, []string{"old"}, stuck, mail.Deferred, true},
		{"old twice", []string{"old", "older"}, []string{"old", "older"}, nil, mail.Deferred, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := &smtpserver.Server{Handler: doorman{"new"}, Hostname: "relay.test", PlaintextAuth: true}
			defer server.Close()
			var refused []string
			tr := &remote.Transport{
				LocalName: "mx.test", Smarthost: true,
				Policy: func(string) (smtpclient.TLSPolicy, *tls.Config) { return smtpclient.TLSNever, nil },
				Dial: func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
					here, there := transcript.Pipe(64 << 10)
					go func() { _ = server.ServeConn(there) }() // it ends with the connection
					return here, nil
				},
				Auth: func(context.Context) (*smtpclient.Auth, error) {
					token := c.tokens[min(len(refused), len(c.tokens)-1)]
					return &smtpclient.Auth{Username: "li", Token: token, AllowPlaintext: true}, nil
				},
				AuthRefused: func(a *smtpclient.Auth, _ *smtpclient.AuthError) error {
					refused = append(refused, a.Token)
					return c.then
				},
			}
			defer tr.Close(t.Context())
			e := transporttest.Envelope(t, "wang@sina.com")
			out := tr.Deliver(t.Context(), transporttest.Delivery(e, "Subject: x\r\n\r\nx\r\n", mail.Hop{Destination: "192.0.2.1:587"}))[0]
			if out.Fate != c.fate || out.Stuck != c.stuck || out.Stuck && out.HostDown || !slices.Equal(refused, c.asked) {
				t.Errorf("%+v (%v), refused %q", out, out.Reply, refused)
			}
		})
	}
}
