package smtpclient

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"

	"github.com/posthouse/posthouse/smtp"
)

// mechanism is a SASL mechanism.
type mechanism struct {
	name  string
	needs secret
	plain bool // the secret can be read off the wire
	bound bool // bound to the channel of TLS
	start func(*Conn, *Auth) (sasl.Client, error)
}

// secret is what a mechanism proves.
type secret int

const (
	password secret = iota
	token
	channel // the client's certificate
)

// mechanisms are in order of preference.
var mechanisms = []mechanism{
	{"SCRAM-SHA-256-PLUS", password, false, true, scramClient("SCRAM-SHA-256-PLUS", scram.SHA256)},
	{"SCRAM-SHA-1-PLUS", password, false, true, scramClient("SCRAM-SHA-1-PLUS", scram.SHA1)},
	{"SCRAM-SHA-256", password, false, false, scramClient("SCRAM-SHA-256", scram.SHA256)},
	{"SCRAM-SHA-1", password, false, false, scramClient("SCRAM-SHA-1", scram.SHA1)},
	{"OAUTHBEARER", token, true, false, oauthBearer},
	{"XOAUTH2", token, true, false, xoauth2},
	{"CRAM-MD5", password, false, false, cramMD5},
	{"PLAIN", password, true, false, plain},
	{"LOGIN", password, true, false, login},
	{"EXTERNAL", channel, false, false, external},
}

// fits reports whether the mechanism can be chosen for a, which names none.
func (m *mechanism) fits(a *Auth) bool {
	switch m.needs {
	case password:
		return a.Password != ""
	case token:
		return a.Token != ""
	}
	return a.Password == "" && a.Token == ""
}

// prover is a mechanism in which the server proves something too.
type prover interface{ proven() bool }

// respond answers a challenge. If the mechanism makes no sense of it, the
// exchange is called off (RFC 4954, 4).
func (c *Conn) respond(client sasl.Client, r *smtp.Reply) (*smtp.Reply, error) {
	challenge, err := smtp.DecodeSASL([]byte(r.Text))
	var response []byte
	if err == nil {
		response, err = client.Next(challenge)
	}
	if err == nil {
		c.secret = base64.StdEncoding.EncodeToString(response)
		c.out = smtp.AppendSASL(c.out, response)
	} else {
		c.out = append(c.out, "*\r\n"...)
	}
	c.trace.secret()
	c.flush(smtp.VerbAUTH)
	r, hearErr := c.hear(smtp.VerbAUTH)
	if hearErr != nil {
		return nil, hearErr
	}
	return r, err
}

func plain(_ *Conn, a *Auth) (sasl.Client, error) {
	for _, s := range []string{a.Identity, a.Username, a.Password} {
		for i := range len(s) {
			if s[i] == 0 {
				return nil, errors.New("PLAIN cannot carry a NUL") // RFC 4616, 2
			}
		}
	}
	return sasl.NewPlainClient(a.Identity, a.Username, a.Password), nil
}

func external(_ *Conn, a *Auth) (sasl.Client, error) {
	return sasl.NewExternalClient(a.Identity), nil
}

// steps is a mechanism whose responses follow each other.
type steps struct {
	name    string
	initial []byte
	next    []func(challenge []byte) []byte
}

func (s *steps) Start() (string, []byte, error) { return s.name, s.initial, nil }

func (s *steps) Next(challenge []byte) ([]byte, error) {
	if len(s.next) == 0 {
		return nil, sasl.ErrUnexpectedServerChallenge
	}
	f := s.next[0]
	s.next = s.next[1:]
	return f(challenge), nil
}

func always(response string) func([]byte) []byte {
	return func([]byte) []byte { return []byte(response) }
}

// login waits to be asked, whatever the words (draft-murchison-sasl-login-00).
func login(_ *Conn, a *Auth) (sasl.Client, error) {
	return &steps{name: "LOGIN", next: []func([]byte) []byte{always(a.Username), always(a.Password)}}, nil
}

// cramMD5 is RFC 2195.
func cramMD5(_ *Conn, a *Auth) (sasl.Client, error) {
	return &steps{name: "CRAM-MD5", next: []func([]byte) []byte{func(challenge []byte) []byte {
		mac := hmac.New(md5.New, []byte(a.Password))
		mac.Write(challenge)
		return []byte(a.Username + " " + hex.EncodeToString(mac.Sum(nil)))
	}}}, nil
}

// xoauth2 is what Google and Microsoft had before RFC 7628. An empty response
// to the challenge that tells of an error brings the server's 535.
func xoauth2(_ *Conn, a *Auth) (sasl.Client, error) {
	if err := noControls(a.Username, a.Token); err != nil {
		return nil, err
	}
	initial := "user=" + a.Username + "\x01auth=Bearer " + a.Token + "\x01\x01"
	return &steps{"XOAUTH2", []byte(initial), []func([]byte) []byte{always("")}}, nil
}

// bearer is OAUTHBEARER (RFC 7628).
type bearer struct{ sasl.Client }

func oauthBearer(c *Conn, a *Auth) (sasl.Client, error) {
	if err := noControls(a.Username, a.Token); err != nil {
		return nil, err
	}
	options := sasl.OAuthBearerOptions{Username: a.Username, Token: a.Token, Host: c.host}
	if _, port, err := net.SplitHostPort(c.RemoteAddr().String()); err == nil {
		options.Port, _ = strconv.Atoi(port)
	}
	return bearer{sasl.NewOAuthBearerClient(&options)}, nil
}

// Next answers the challenge that tells of an error with the octet that brings
// the server's 535 (RFC 7628, 3.2.3).
func (b bearer) Next([]byte) ([]byte, error) { return []byte{1}, nil }

// noControls keeps the octet that parts the fields of a bearer's message, and
// the rest of its kind, out of them.
func noControls(fields ...string) error {
	for _, s := range fields {
		for i := range len(s) {
			if s[i] < ' ' || s[i] == 0x7f {
				return errors.New("control character in the user name or token")
			}
		}
	}
	return nil
}

// scramConversation is SCRAM (RFC 5802, 7677).
type scramConversation struct {
	name string
	talk *scram.ClientConversation
}

func scramClient(name string, hash scram.HashGeneratorFcn) func(*Conn, *Auth) (sasl.Client, error) {
	return func(c *Conn, a *Auth) (sasl.Client, error) {
		client, err := hash.NewClient(a.Username, a.Password, a.Identity)
		if err != nil {
			return nil, fmt.Errorf("SCRAM: %w", err)
		}
		talk, err := c.converse(client, name)
		if err != nil {
			return nil, err
		}
		return &scramConversation{name, talk}, nil
	}
}

// converse begins a conversation, bound to TLS if the mechanism is. If we could
// bind it, and the server seems not to, it is told so: somebody in between may
// have taken the -PLUS off its list (RFC 5802, 6).
func (c *Conn) converse(client *scram.Client, name string) (*scram.ClientConversation, error) {
	if strings.HasSuffix(name, "-PLUS") {
		binding, err := c.channelBinding()
		if err != nil {
			return nil, err
		}
		return client.NewConversationWithChannelBinding(binding), nil
	}
	if c.secure && !slices.Contains(c.ext.Mechanisms, name+"-PLUS") {
		return client.NewConversationAdvertisingChannelBinding(), nil
	}
	return client.NewConversation(), nil
}

func (s *scramConversation) Start() (string, []byte, error) {
	first, err := s.talk.Step("")
	return s.name, []byte(first), err
}

// maxIterations bounds the work that a server can make of a password, to about
// a second. RFC 7677 asks for 4096 at least, and nobody for a million.
const maxIterations = 2_000_000

func (s *scramConversation) Next(challenge []byte) ([]byte, error) {
	for field := range strings.SplitSeq(string(challenge), ",") {
		count, ok := strings.CutPrefix(field, "i=")
		if n, err := strconv.ParseUint(count, 10, 64); ok && (err != nil || n > maxIterations) {
			return nil, fmt.Errorf("SCRAM: %q iterations, %d are allowed", count, maxIterations)
		}
	}
	response, err := s.talk.Step(string(challenge))
	return []byte(response), err
}

func (s *scramConversation) proven() bool { return s.talk.Valid() }

// channelBinding returns what ties SCRAM to the TLS connection: tls-exporter
// with TLS 1.3 (RFC 9266), tls-unique before it (RFC 5802, 6.1), and
// tls-server-end-point where neither can be had.
func (c *Conn) channelBinding() (scram.ChannelBinding, error) {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return scram.ChannelBinding{}, errors.New("channel binding needs TLS")
	}
	state := t.ConnectionState()
	switch {
	case state.Version >= tls.VersionTLS13:
		return scram.NewTLSExporterBinding(&state)
	case len(state.TLSUnique) > 0:
		return scram.NewTLSUniqueBinding(state.TLSUnique), nil
	}
	return scram.NewTLSServerEndpointBinding(&state)
}
