package login

import (
	"bytes"
	"crypto/tls"
	"errors"

	"github.com/xdg-go/scram"

	"github.com/posthouse/posthouse/internal/directory"
)

func (d *Door) canSCRAM(*Visitor) bool { return d.finder != nil && d.finder.HasSCRAM() }

func (d *Door) canBind(v *Visitor) bool {
	_, ok := binding(v.TLS)
	return ok && d.canSCRAM(v)
}

// binding is what ties SCRAM to the connection: tls-exporter with TLS 1.3 (RFC 9266),
// tls-unique before it (RFC 5929, 3), if Go knows it.
func binding(state *tls.ConnectionState) (scram.ChannelBinding, bool) {
	if state.Version < tls.VersionTLS13 {
		return scram.NewTLSUniqueBinding(state.TLSUnique), len(state.TLSUnique) > 0
	}
	b, err := scram.NewTLSExporterBinding(state)
	return b, err == nil
}

// conversation is SCRAM-SHA-256 (RFC 5802, RFC 7677).
type conversation struct {
	*Exchange
	talk  *scram.ServerConversation
	bound bool
	round int
	try   try
	found *directory.Account // nil: it is a decoy that is talked with
	fault *Failure           // of the lookup
}

func beginSCRAM(x *Exchange) exchange      { return newConversation(x, false) }
func beginBoundSCRAM(x *Exchange) exchange { return newConversation(x, true) }

// newConversation offers channel binding wherever it can be had, so that a client that was
// told it cannot finds out (RFC 5802, 6).
func newConversation(x *Exchange, bound bool) *conversation {
	c := &conversation{Exchange: x, bound: bound}
	server, err := scram.SHA256.NewServer(c.lookup)
	if err != nil { // it never does
		c.fault = x.later("it could not be found out", err)
		return c
	}
	switch b, ok := binding(x.visitor.TLS); {
	case bound:
		c.talk = server.NewConversationWithChannelBindingRequired(b)
	case ok:
		c.talk = server.NewConversationWithChannelBinding(b)
	default:
		c.talk = server.NewConversation()
	}
	return c
}

// Next implements [exchange].
func (c *conversation) Next(response []byte) ([]byte, bool, error) {
	if c.fault != nil {
		return nil, false, c.fault
	}
	if response == nil && c.round == 0 {
		return nil, false, nil
	}
	c.round++
	if c.round == 1 {
		return c.first(response)
	}
	return c.final(response)
}

// first is the client's first message. What it asks for by "p=" must be what the
// mechanism promises.
func (c *conversation) first(response []byte) ([]byte, bool, error) {
	if c.bound != bytes.HasPrefix(response, []byte("p=")) {
		return nil, false, c.refuse("the channel binding is not what the mechanism says")
	}
	challenge, err := c.talk.Step(string(response))
	switch {
	case c.fault != nil:
		return nil, false, c.fault
	case err != nil:
		return nil, false, c.refuse("the first message of SCRAM is malformed, or its channel binding is not ours")
	}
	if as := c.talk.AuthzID(); as != "" && directory.FoldName(as) != c.try.name {
		return nil, false, c.refuse("nobody acts for another here")
	}
	return []byte(challenge), false, nil
}

// final is the client's proof.
func (c *conversation) final(response []byte) ([]byte, bool, error) {
	var proof string
	err := c.judge(c.try, func() (_ *directory.Account, err error) {
		proof, err = c.talk.Step(string(response))
		if err != nil || !c.talk.Valid() || c.found == nil {
			return nil, directory.ErrNoLogin
		}
		return c.found, nil
	})
	return []byte(proof), err == nil, err
}

var errLookup = errors.New("told elsewhere")

// lookup is asked for what is kept of a password. For a name that nobody has it
// makes something up, always the same.
func (c *conversation) lookup(name string) (scram.StoredCredentials, error) {
	if c.try, c.fault = c.trying(name); c.fault != nil {
		return scram.StoredCredentials{}, errLookup
	}
	decoy, err := c.door.decoy(c.ctx, c.try.name)
	var a *directory.Account
	if err == nil {
		a, err = c.door.finder.Find(c.ctx, c.try.name)
	}
	kept := decoy
	switch {
	case errors.Is(err, directory.ErrNoLogin):
	case err != nil:
		c.fault = c.later("it could not be found out", err)
		return scram.StoredCredentials{}, errLookup
	case a.SCRAM != nil:
		kept, c.found = a.SCRAM, a
	}
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(kept.Salt), Iters: kept.Iterations},
		StoredKey:  kept.StoredKey, ServerKey: kept.ServerKey,
	}, nil
}
