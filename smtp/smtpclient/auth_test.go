package smtpclient_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

var errNo = errors.New("no")

// saslServer knows the user "user" with the password "secret" and the token
// "token".
func saslServer(mechanism string, conn *tls.Conn) sasl.Server {
	check := func(identity, user, password string) error {
		if user != "user" || password != "secret" || identity != "" && identity != "other" {
			return errNo
		}
		return nil
	}
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(check)
	case "LOGIN":
		return &asks{challenges: []string{"User Name", "Password\x00"}, check: func(r []string) bool { return check("", r[0], r[1]) == nil }}
	case "CRAM-MD5":
		return &asks{challenges: []string{"<1@mx.test>"}, check: func(r []string) bool {
			mac := hmac.New(md5.New, []byte("secret"))
			mac.Write([]byte("<1@mx.test>"))
			return r[0] == "user "+hex.EncodeToString(mac.Sum(nil))
		}}
	case "OAUTHBEARER":
		return sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
			if o.Username != "user" || o.Token != "token" || o.Host != "mx.test" {
				return &sasl.OAuthBearerError{Status: "invalid_token"}
			}
			return nil
		})
	case "XOAUTH2":
		return &xoauth2Server{}
	case "EXTERNAL":
		return sasl.NewExternalServer(func(identity string) error {
			if identity != "" && identity != "other" {
				return errNo
			}
			return nil
		})
	case "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS":
		return newScramServer(mechanism, conn)
	}
	return &asks{check: func([]string) bool { return false }}
}

// asks gives its challenges and looks at the responses.
type asks struct {
	challenges, responses []string
	check                 func([]string) bool
	begun                 bool
}

func (a *asks) Next(response []byte) ([]byte, bool, error) {
	if a.begun {
		a.responses = append(a.responses, string(response))
	}
	a.begun = true
	if n := len(a.responses); n < len(a.challenges) {
		return []byte(a.challenges[n]), false, nil
	}
	if !a.check(a.responses) {
		return nil, true, errNo
	}
	return nil, true, nil
}

type xoauth2Server struct{ failed bool }

func (x *xoauth2Server) Next(response []byte) ([]byte, bool, error) {
	switch {
	case x.failed:
		return nil, true, errNo
	case string(response) == "user=user\x01auth=Bearer token\x01\x01":
		return nil, true, nil
	}
	x.failed = true
	return []byte(`{"status":"401"}`), false, nil
}

type scramServer struct{ talk *scram.ServerConversation }

func newScramServer(mechanism string, conn *tls.Conn) sasl.Server {
	hash := scram.SHA256
	if strings.HasPrefix(mechanism, "SCRAM-SHA-1") {
		hash = scram.SHA1
	}
	client, _ := hash.NewClient("user", "secret", "")
	stored, _ := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: 4096})
	server, _ := hash.NewServer(func(user string) (scram.StoredCredentials, error) {
		if user != "user" {
			return scram.StoredCredentials{}, errNo
		}
		return stored, nil
	})
	if !strings.HasSuffix(mechanism, "-PLUS") {
		return &scramServer{server.NewConversation()}
	}
	state := conn.ConnectionState()
	binding, _ := scram.NewTLSExporterBinding(&state)
	return &scramServer{server.NewConversationWithChannelBindingRequired(binding)}
}

func (s *scramServer) Next(response []byte) ([]byte, bool, error) {
	if s.talk.Done() {
		if !s.talk.Valid() {
			return nil, true, errNo
		}
		return nil, true, nil
	}
	challenge, err := s.talk.Step(string(response))
	if err != nil {
		return nil, true, err
	}
	return []byte(challenge), false, nil
}

// login connects with verified TLS and AUTH.
func login(t *testing.T, s *fake, d *smtpclient.Dialer) (*smtpclient.Conn, error) {
	t.Helper()
	a, b := transcript.Pipe(64 << 10)
	var roots *x509.CertPool
	s.tls, roots = certificate(t, "mx.test")
	s.replies = map[string]string{"STARTTLS": "220 go\r\n"}
	s.offers = append([]string{"STARTTLS"}, s.offers...)
	s.sasl = saslServer
	go s.serve(b)
	d.LocalName, d.TLSConfig = "c.test", &tls.Config{RootCAs: roots}
	return d.NewConn(t.Context(), a, "mx.test")
}

const allMechanisms = "AUTH LOGIN PLAIN CRAM-MD5 XOAUTH2 OAUTHBEARER SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS EXTERNAL"

// TestMechanisms: each mechanism lets the right secret in and keeps a wrong one
// out, and the error says which kind of no it was.
func TestMechanisms(t *testing.T) {
	for _, m := range strings.Fields(allMechanisms)[1:] {
		for _, good := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				auth := &smtpclient.Auth{Mechanism: m, Username: "user", Password: "secret", Token: "token"}
				if !good {
					auth.Password, auth.Token, auth.Identity = "wrong", "wrong", "nobody"
				}
				c, err := login(t, &fake{offers: []string{allMechanisms}}, &smtpclient.Dialer{Auth: auth})
				if err == nil {
					_ = c.Close()
				}
				var a *smtpclient.AuthError
				switch {
				case good && err != nil:
					t.Errorf("%s: %v", m, err)
				case !good && (!errors.As(err, &a) || !errors.Is(err, smtpclient.ErrBadCredentials) || errors.Is(err, smtpclient.ErrTemporaryFailure)):
					t.Errorf("%s: wrong secret: error %v", m, err)
				}
			})
		}
	}
}

// TestChoice: the strongest mechanism that both sides have is taken, and no
// secret is shown without verified TLS, unless by name.
func TestChoice(t *testing.T) {
	password := smtpclient.Auth{Username: "user", Password: "secret"}
	for _, c := range []struct {
		name   string
		auth   smtpclient.Auth
		offers string
		policy smtpclient.TLSPolicy
		want   string // mechanism
		err    error
	}{
		{"strongest", password, allMechanisms, smtpclient.TLSRequire, "SCRAM-SHA-256-PLUS", nil},
		{"strongest in the clear", password, allMechanisms, smtpclient.TLSNever, "SCRAM-SHA-256", nil},
		{"in the clear", password, "AUTH PLAIN LOGIN", smtpclient.TLSNever, "", smtpclient.ErrPlaintext},
		{"in the clear by name", smtpclient.Auth{Mechanism: "PLAIN", Username: "user", Password: "secret"}, "AUTH PLAIN", smtpclient.TLSNever, "", smtpclient.ErrPlaintext},
		{"in the clear, allowed", smtpclient.Auth{Username: "user", Password: "secret", AllowPlaintext: true}, "AUTH LOGIN PLAIN", smtpclient.TLSNever, "PLAIN", nil},
		{"token", smtpclient.Auth{Username: "user", Token: "token"}, allMechanisms, smtpclient.TLSRequire, "OAUTHBEARER", nil},
		{"token in the clear", smtpclient.Auth{Username: "user", Token: "token"}, allMechanisms, smtpclient.TLSNever, "", smtpclient.ErrPlaintext},
		{"certificate", smtpclient.Auth{}, allMechanisms, smtpclient.TLSRequire, "EXTERNAL", nil},
		{"none in common", password, "AUTH GSSAPI", smtpclient.TLSRequire, "", smtpclient.ErrNoMechanism},
		{"no AUTH", password, "HELP", smtpclient.TLSRequire, "", smtpclient.ErrNotOffered},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &fake{offers: []string{c.offers}}
				conn, err := login(t, s, &smtpclient.Dialer{Auth: &c.auth, TLS: c.policy})
				if err == nil {
					_ = conn.Close()
				}
				got := ""
				for _, l := range s.lines {
					if args, ok := strings.CutPrefix(l, "AUTH "); ok {
						got, _, _ = strings.Cut(args, " ")
					}
				}
				if got != c.want || !errors.Is(err, c.err) {
					t.Errorf("took %q, want %q; error %v", got, c.want, err)
				}
			})
		})
	}
}

// TestTakenOffTheList: a server that has -PLUS notices when it was taken off
// its list on the way.
func TestTakenOffTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := ""
		s := &fake{offers: []string{"AUTH SCRAM-SHA-256"}}
		c, err := login(t, s, &smtpclient.Dialer{Auth: &smtpclient.Auth{Username: "user", Password: "secret"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		for _, l := range s.lines {
			if initial, ok := strings.CutPrefix(l, "AUTH SCRAM-SHA-256 "); ok {
				b, _ := base64.StdEncoding.DecodeString(initial)
				first = string(b)
			}
		}
		if !strings.HasPrefix(first, "y,,") {
			t.Errorf("the first message is %q", first)
		}
	})
}

// TestNoProof: a server that says 235 without having proved that it knows the
// password is not trusted.
func TestNoProof(t *testing.T) {
	s := &fake{offers: []string{"AUTH SCRAM-SHA-256"}, replies: map[string]string{"AUTH": "235 welcome\r\n"}}
	connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
		err := c.Auth(ctx, &smtpclient.Auth{Username: "user", Password: "secret"})
		if !errors.Is(err, smtpclient.ErrServerProof) || c.Err() == nil {
			t.Errorf("error %v", err)
		}
	})
}

// TestEndlessChallenges: a server cannot ask for ever, not even with a
// mechanism that always has an answer.
func TestEndlessChallenges(t *testing.T) {
	s := &fake{offers: []string{"AUTH LOGIN OAUTHBEARER"}, replies: map[string]string{"AUTH": "334 e30=\r\n", "dXNlcg==": "334 \r\n", "c2VjcmV0": "334 \r\n", "*": "501 no\r\n", "AQ==": "334 e30=\r\n"}}
	for _, auth := range []smtpclient.Auth{{Password: "secret"}, {Token: "token"}} {
		connect(t, &smtpclient.Dialer{Timeouts: smtpclient.Timeouts{Auth: time.Minute}}, s, func(ctx context.Context, c *smtpclient.Conn) {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			auth.Username, auth.AllowPlaintext = "user", true
			if err := c.Auth(ctx, &auth); err == nil || ctx.Err() != nil {
				t.Errorf("error %v", err)
			}
		})
	}
	if n := len(s.lines); n < 10 || n > 20 {
		t.Errorf("%d lines were said: %q", n, s.lines)
	}
}

// greedy is a SCRAM server that wants more iterations than anybody needs.
type greedy string

func (count greedy) Next(first []byte) ([]byte, bool, error) {
	_, nonce, _ := strings.Cut(string(first), "r=")
	return []byte("r=" + nonce + "x,s=c2FsdA==,i=" + string(count)), false, nil
}

// TestTooManyIterations: a server cannot keep us busy with our own password,
// which no context and no time limit would end.
func TestTooManyIterations(t *testing.T) {
	for _, count := range []string{"2000001", "2000000000", "99999999999999999999", "-1"} {
		s := &fake{offers: []string{"AUTH SCRAM-SHA-256"}, sasl: func(string, *tls.Conn) sasl.Server { return greedy(count) }}
		connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
			err := c.Auth(ctx, &smtpclient.Auth{Username: "user", Password: "secret"})
			if err == nil || !strings.Contains(err.Error(), "iterations") {
				t.Errorf("%s: error %v", count, err)
			}
			if c.Err() != nil {
				t.Errorf("%s: the connection is gone: %v", count, c.Err())
			}
		})
	}
}

// TestEchoedSecret: a server that repeats what it was told does not bring the
// secret into errors or the trace.
func TestEchoedSecret(t *testing.T) {
	const said = "AUTH PLAIN AHVzZXIAc2VjcmV0"
	for _, replies := range []map[string]string{
		{said: "500-5.5.1 what is this:\r\n500 5.5.1 " + said + "?\r\n"},
		{"AUTH": "334 VXNlcm5hbWU6\r\n", "dXNlcg==": "334 UGFzc3dvcmQ6\r\n", "c2VjcmV0": "535 5.7.8 c2VjcmV0 is wrong\r\n"},
		{"AUTH": "334 VXNlcm5hbWU6\r\n", "dXNlcg==": "334 UGFzc3dvcmQ6\r\n", "c2VjcmV0": "535 5.7.8 secret is wrong\r\n"},
	} {
		var seen []string
		note := func(_ time.Time, line []byte) { seen = append(seen, string(line)) }
		mechanism := "PLAIN"
		if _, ok := replies[said]; !ok {
			mechanism = "LOGIN"
		}
		d := &smtpclient.Dialer{Trace: to(&smtpclient.Trace{Sent: note, Received: note})}
		connect(t, d, &fake{offers: []string{"AUTH PLAIN LOGIN"}, replies: replies}, func(ctx context.Context, c *smtpclient.Conn) {
			err := c.Auth(ctx, &smtpclient.Auth{Mechanism: mechanism, Username: "user", Password: "secret", AllowPlaintext: true})
			var refused *smtpclient.AuthError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "***") {
				t.Errorf("%s: error %v", mechanism, err)
			}
			if all := strings.Join(seen, "\n") + err.Error(); strings.Contains(all, "c2VjcmV0") || strings.Contains(all, "secret") {
				t.Errorf("%s: the secret shows:\n%s", mechanism, all)
			}
		})
	}
}

// TestAuthErrors: the codes of RFC 4954, 6, and the connection lives on.
func TestAuthErrors(t *testing.T) {
	for reply, want := range map[string]error{
		"535 5.7.8 no\r\n": smtpclient.ErrBadCredentials, "534 5.7.9 weak\r\n": smtpclient.ErrMechanismTooWeak,
		"454 4.7.0 later\r\n": smtpclient.ErrTemporaryFailure, "432 4.7.12 change\r\n": smtpclient.ErrPasswordTransition,
		"538 5.7.11 tls\r\n": smtpclient.ErrEncryptionRequired,
	} {
		s := &fake{offers: []string{"AUTH PLAIN"}, replies: map[string]string{"AUTH": reply}}
		connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
			err := c.Auth(ctx, &smtpclient.Auth{Username: "user", Password: "secret", AllowPlaintext: true})
			var r *smtp.Reply
			if !errors.Is(err, want) || !errors.As(err, &r) || r.Code.String() != reply[:3] {
				t.Errorf("%q: error %v", reply, err)
			}
			if r, err := c.Cmd(ctx, smtp.Noop{}); err != nil || r.Code != smtp.CodeOK {
				t.Errorf("NOOP: %v, %v", r, err)
			}
		})
	}
}

// to is a trace for every connection.
func to(t *smtpclient.Trace) func(string, net.Conn) *smtpclient.Trace {
	return func(string, net.Conn) *smtpclient.Trace { return t }
}

// TestTrace: each line is told, in both directions, and no secret is in it.
func TestTrace(t *testing.T) {
	for _, m := range strings.Fields(allMechanisms)[1:] {
		synctest.Test(t, func(t *testing.T) {
			var seen []string
			note := func(mark string) func(time.Time, []byte) {
				return func(at time.Time, line []byte) {
					if !at.Equal(time.Now()) {
						t.Errorf("%q at %v", line, at)
					}
					seen = append(seen, mark+string(line))
				}
			}
			trace := &smtpclient.Trace{
				Sent: note("> "), Received: note("< "),
				TLS: func(time.Time, tls.ConnectionState) { seen = append(seen, "TLS") },
				End: func(_ time.Time, err error) { seen = append(seen, fmt.Sprint("end: ", err)) },
			}
			auth := &smtpclient.Auth{Mechanism: m, Username: "user", Password: "secret", Token: "token"}
			c, err := login(t, &fake{offers: []string{allMechanisms}}, &smtpclient.Dialer{Auth: auth, Trace: to(trace)})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Quit(t.Context()); err != nil {
				t.Fatal(err)
			}
			all := strings.Join(seen, "\n")
			for _, line := range seen {
				if args, ok := strings.CutPrefix(line, "> AUTH "); ok && args != m && args != m+" ***" {
					t.Errorf("%q is not masked", line)
				}
			}
			for _, secret := range []string{"secret", "token", "c2VjcmV0", "dG9rZW4", "AHVzZXI"} {
				if strings.Contains(all, secret) {
					t.Errorf("%s: the trace shows %q:\n%s", m, secret, all)
				}
			}
			if !strings.HasPrefix(all, "< 220 mx.test\n> EHLO c.test\n< 250-mx.test\n< 250-STARTTLS\n") || !strings.Contains(all, "\nTLS\n") || !strings.HasSuffix(all, "> QUIT\n< 221 2.0.0 bye\nend: <nil>") {
				t.Errorf("trace:\n%s", all)
			}
		})
	}
}
