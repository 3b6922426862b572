package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// Console is where browsers see and steer the house.
type Console struct {
	Origin    mail.Origin       // zero: there is none
	Address   Setting[[]string] // "HOST:PORT" or "unix:FILE"
	TLS       Setting[string]   // "off" or "implicit"; "": implicit where other machines come
	Hosts     Setting[[]string] // names by which browsers call it, beside those of this machine
	Guests    Setting[string]   // what those may who have not logged in, on this machine
	Viewers   Setting[[]string] // logins that may see; "*": all
	Operators Setting[[]string] // logins that may see and order; "*": all
}

// What guests of the console may.
const (
	GuestsNothing = "none"
	GuestsView    = "view"
	GuestsOrder   = "operate"
)

func (c *Config) consoleBlock() block {
	return block{
		word: "console", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			c.Console = Console{Origin: at, Address: builtIn([]string{"127.0.0.1:8025"})}
			s := c.Console.schema()
			s.done = c.Console.complete
			return s, true
		},
		all: func() []schema {
			if c.Console.Origin == (mail.Origin{}) {
				return nil
			}
			return []schema{c.Console.schema()}
		},
	}
}

func (x *Console) schema() schema {
	return schema{title: "console", fields: []field{
		list("address", &x.Address, endpoint(here, true)),
		one("tls", &x.TLS, choice("off", "implicit")),
		list("hosts", &x.Hosts, domain()),
		one("guests", &x.Guests, choice(GuestsNothing, GuestsView, GuestsOrder)),
		list("viewers", &x.Viewers, text()),
		list("operators", &x.Operators, text()),
	}}
}

// complete gives what is not said its default: where accounts have rights, guests have
// none; and TLS is where somebody could listen.
func (x *Console) complete() {
	guests, tls := GuestsView, "off"
	if x.logins() {
		guests = GuestsNothing
	}
	if x.beyond() {
		tls = "implicit"
	}
	x.Guests, x.TLS = x.Guests.or(guests), x.TLS.or(tls)
}

// logins reports whether accounts have rights.
func (x *Console) logins() bool { return len(x.Viewers.Value)+len(x.Operators.Value) > 0 }

// beyond reports whether other machines can come.
func (x *Console) beyond() bool {
	return slices.ContainsFunc(x.Address.Value, func(a string) bool { return !onThisMachine(a) })
}

// onThisMachine reports whether only this machine can reach an address to listen on.
func onThisMachine(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, _ := net.SplitHostPort(address) // it was read as such
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// checkConsole finds a console that would be open to strangers, or closed to all.
func (d *decoder) checkConsole(c *Config) {
	x := &c.Console
	if x.Origin == (mail.Origin{}) {
		return
	}
	users := c.Users.Origin != (mail.Origin{})
	switch {
	case x.beyond() && x.TLS.Value == "off":
		d.add(x.TLS.Origin, `leave tls out, or listen on "127.0.0.1:8025" or "unix:FILE" and put a proxy with TLS in front of it`,
			"the console can be reached from elsewhere, and passwords would be readable on the way")
	case x.beyond() && !x.logins():
		d.add(x.Address.Origin, `write operators = ["NAME"], or listen on "127.0.0.1:8025"`,
			"the console can be reached from elsewhere, and nobody is named who may use it")
	case x.logins() && !users:
		d.add(x.Origin, "write a users block", "the console names logins, and nobody can log in")
	case !x.logins() && x.Guests.Value == GuestsNothing:
		d.add(x.Guests.Origin, `write operators = ["NAME"]`, "nobody may use the console")
	case x.Hosts.Given() && !x.beyond() && x.Guests.Value != GuestsNothing:
		d.add(x.Hosts.Origin, `write guests = "none" and operators = ["NAME"]`,
			"browsers come by another name, so by a proxy: all of its visitors would be guests of this machine")
	}
}
