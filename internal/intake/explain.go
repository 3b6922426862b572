package intake

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
)

// Question is about mail that need not exist.
type Question struct {
	To, From smtp.Path
	Client   netip.Addr // invalid: it comes from a program on this host
	Login    string     // "": nobody has logged in
}

// Explained is what the desk would do with a recipient.
type Explained struct {
	// Found is what the directory says, and Lines are those that it went by, if it
	// can tell.
	Found directory.Resolution
	Lines []directory.Line
	// MayRelay: the client may send to everybody. Network is why, if that is its
	// address, and NetworkAt the setting that names it.
	MayRelay  bool
	Network   netip.Prefix
	NetworkAt mail.Origin
	// RelaysTo: everybody may send to the recipient, though it is not here.
	RelaysTo bool
	// Reply is what the client would be told at RCPT; nil: 250. Refused: it is an error.
	Reply   *smtp.Reply
	Refused bool
	// Asked is what policy asks of the mail of a stranger, listener by listener.
	Asked []Asked
	// To are the recipients that the envelope would have.
	To []mail.Recipient
}

// Asked is what one listener asks of the mail of strangers.
type Asked struct {
	Listener string
	Lines    []policy.Line
	AtMost   *policy.Limit // how far it goes with mail to the recipient; nil: as far as the lines say
}

// asked is what policy asks of mail to somebody.
func (o *Options) asked(to smtp.Path) []Asked {
	var all []Asked
	for _, name := range slices.Sorted(maps.Keys(o.Policy)) {
		p := o.Policy[name]
		all = append(all, Asked{name, p.Explain(), p.LimitOf(to)})
	}
	return all
}

// Explain tells what would become of a recipient that is given at RCPT. It goes
// the way of the transaction, but begins no draft and asks no policy. An error
// means that the answer could not be found out for the time being.
func (d *Desk) Explain(ctx context.Context, q Question) (Explained, error) {
	o := d.opts.Load()
	v := &policy.Visit{From: q.From, Source: mail.Source{Login: q.Login, Client: netip.AddrPortFrom(q.Client, 0)}}
	t := &transaction{desk: d, o: o, visit: v, inside: !q.Client.IsValid()}
	t.relay = t.inside || q.Login != "" || o.trusts(v.Source.Client)
	x := Explained{MayRelay: t.relay, Network: o.network(q.Client), RelaysTo: o.RelayTo(q.To)}
	if x.Network.IsValid() {
		x.NetworkAt = o.RelaySaid
	}
	var err error
	if x.Found, err = o.Directory.Lookup(ctx, q.To); err != nil {
		return x, err
	}
	if can, is := o.Directory.(directory.Explainer); is {
		if x.Lines, err = can.Explain(ctx, q.To); err != nil {
			return x, err
		}
	}
	final, reply, err := t.resolve(ctx, q.To)
	if err == nil {
		x.Reply, err = reply, t.add(q.To, final, &smtp.RcptParams{})
	}
	if err != nil {
		x.Reply, x.Refused = o.reply(err), true
		return x, nil
	}
	if x.To = t.to; !t.relay {
		x.Asked = o.asked(q.To)
	}
	return x, nil
}

// network is the one for the sake of which a client may relay.
func (o *Options) network(client netip.Addr) netip.Prefix {
	for _, p := range o.RelayFrom {
		if p.Contains(client.Unmap()) {
			return p
		}
	}
	return netip.Prefix{}
}
