package daemon

import (
	"context"
	"net"
	"strings"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// server answers what comes in at some addresses, as a listener of the
// configuration says.
type server struct {
	answerer
	name   string
	at     []endpoint
	origin mail.Origin // of the addresses
}

// answerer is what a server is, whatever is spoken there.
type answerer interface {
	// Serve answers who comes in at a listener, until that is closed or the server is
	// shut down; then the error is [smtpserver.ErrServerClosed] or [net.ErrClosed].
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
	Connections() int
}

// endpoint is where to listen.
type endpoint struct {
	network, address string
	local            bool // for programs of this machine, whose users the system tells
	// nth counts the listeners that let the system choose a port: each has its own.
	nth int
}

func (e endpoint) String() string {
	if e.network == "unix" {
		return "unix:" + e.address
	}
	return e.address
}

func (b *builder) buildServers(r *rooms, in *intake.Desk) error {
	keys, err := b.certificates()
	r.keys = keys
	if err != nil {
		return err
	}
	chosen := 0
	for i := range b.cfg.Listen {
		l := &b.cfg.Listen[i]
		s := &server{name: l.Name.Value, origin: originOf(l), answerer: b.answererOf(l, in, keys)}
		for _, address := range l.Address.Value {
			at := endpointOf(address)
			if strings.HasSuffix(address, ":0") {
				chosen++
				at.nth = chosen
			}
			s.at = append(s.at, at)
		}
		r.servers = append(r.servers, s)
	}
	r.servers = append(r.servers, b.challengeServers(keys)...)
	r.servers = append(r.servers, b.pageServers(keys)...)
	if b.world.Local {
		r.servers = append(r.servers, b.localServer(in))
	}
	return nil
}

// answererOf is who answers at a listener.
func (b *builder) answererOf(l *config.Listen, in *intake.Desk, keys *certificates) answerer {
	if l.Kind == config.ListenInbox {
		return b.inboxServer(l, keys)
	}
	return b.serverOf(l, handlerOf(l, in), keys)
}

// handlerOf is who takes the mail of a listener.
func handlerOf(l *config.Listen, in *intake.Desk) smtpserver.Handler {
	if l.Submits() {
		return in.Submissions(l.Name.Value, intake.SubmissionOptions{HideClient: l.HideClient.Value, CRAMMD5: l.CRAMMD5.Value})
	}
	return in.Listener(l.Name.Value)
}

func originOf(l *config.Listen) mail.Origin {
	if l.Address.Given() {
		return l.Address.Origin
	}
	return l.Origin
}

func endpointOf(address string) endpoint {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return endpoint{network: "unix", address: path}
	}
	return endpoint{network: "tcp", address: address}
}

func (b *builder) serverOf(l *config.Listen, h smtpserver.Handler, keys *certificates) *smtpserver.Server {
	s := &smtpserver.Server{
		Handler: h, Hostname: b.cfg.Hostname.Value, LMTP: l.Kind == config.ListenLMTP,
		ImplicitTLS: l.TLS.Value == "implicit", RequireTLS: l.TLS.Value == "require",
		Offer:     intake.Offers,
		ProxyFrom: l.ProxyFrom.Value, XClientFrom: l.XClientFrom.Value,
		Limits: limitsOfServer(&l.Limits), Log: b.world.Log,
		NextID: b.world.Sessions.NextID, Trace: b.world.Sessions.Inbound(l.Name.Value),
	}
	if l.TLS.Value != "off" {
		s.TLS = b.tlsOf(l, keys)
	}
	return s
}

func limitsOfServer(l *config.Limits) smtpserver.Limits {
	return smtpserver.Limits{
		MessageSize: l.MessageSize.Value, TextLine: l.TextLine.Value, Recipients: l.Recipients.Value,
		Messages: l.Messages.Value, Errors: l.Errors.Value,
		Connections: l.Connections.Value, PerAddress: l.PerAddress.Value,
		Idle: l.Idle.Value, DataIdle: l.DataIdle.Value, Session: l.Session.Value, Handshake: l.Handshake.Value,
		DataRate: l.DataRate.Value, DataGrace: l.DataGrace.Value,
	}
}
