package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/posthouse/posthouse/internal/directory"
)

// Options say where people are, and what their entries are like. Texts may have
// %{name}, the name of the account, %{user}, what is in front of its last @, and
// %{domain}, what is behind that.
type Options struct {
	Network, Address string // "tcp" and "HOST:PORT", or "unix" and a file
	// TLS is that of a client; nil: none, which is for "unix" and loopback addresses
	// alone. StartTLS: it begins after a command (RFC 4511, 4.14), else at once.
	TLS      *tls.Config
	StartTLS bool

	Base     string // below which entries are searched
	Filter   string // that fits one entry, such as "(&(objectClass=person)(mail=%{name}))"
	User     string // entry that may search; "": nobody has to say who he is
	Password string

	Entry string // name of the entry of an account, in the place of Base and Filter

	Name      string   // attribute that names the account; "": what the client said does
	Addresses []string // attributes of the addresses as which it may send; none: the configuration says

	// Dial connects; nil: that of package net.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout is for one question; default 10 seconds.
	Timeout time.Duration
	// Patience is how long no takes, whatever the reason; default 1 second.
	Patience time.Duration
}

func (o *Options) setDefaults() {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Patience <= 0 {
		o.Patience = time.Second
	}
}

// check finds texts that are none of LDAP's, or that a name could change.
func (o *Options) check() error {
	if o.TLS == nil && o.Network != "unix" && !loopback(o.Address) {
		return errors.New("passwords would travel in clear: only this machine is asked without TLS")
	}
	if o.Entry != "" {
		return checkEntry(o.Entry)
	}
	if _, err := goldap.ParseDN(o.Base); err != nil {
		return fmt.Errorf("the base is no name of an entry: %w", err)
	}
	return checkFilter(o.Filter)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (ip.IsLoopback() || host == "localhost")
}

// odd is a name that would do harm where it is not escaped.
const odd = "a)(b=*\\\x00,c+d=\"e@f)(g=*,h"

// checkFilter sees that a name is a value of the filter, and no attribute.
func checkFilter(text string) error {
	if !placed(text) {
		return errors.New("the filter would fit anybody: it has none of %{name}, %{user} and %{domain}")
	}
	if err := valuesOnly(text); err != nil {
		return err
	}
	if _, err := goldap.CompileFilter(fill(text, odd, goldap.EscapeFilter)); err != nil {
		return fmt.Errorf("the filter is none (RFC 4515): %w", err)
	}
	return nil
}

// valuesOnly sees that each placeholder stands behind the = of its comparison.
func valuesOnly(filter string) error {
	behind := false
	for i, r := range filter {
		switch {
		case r == '(' || r == ')':
			behind = false
		case r == '=':
			behind = true
		case r == '%' && !behind && placed(filter[i:]) && strings.HasPrefix(filter[i:], "%{"):
			return errors.New("a name may stand in the filter only as a value, behind =")
		}
	}
	return nil
}

// checkEntry sees that a name is a value of the entry's name.
func checkEntry(text string) error {
	if !placed(text) {
		return errors.New("the entry would be everybody's: it has none of %{name}, %{user} and %{domain}")
	}
	plain, err := goldap.ParseDN(fill(text, "x@y", goldap.EscapeDN))
	if err != nil {
		return fmt.Errorf("the entry is no name of one (RFC 4514): %w", err)
	}
	harmed, err := goldap.ParseDN(fill(text, odd, goldap.EscapeDN))
	if err != nil || !sameAttributes(plain, harmed) {
		return errors.New("a name may stand in the entry only as a value, behind =")
	}
	return nil
}

func sameAttributes(a, b *goldap.DN) bool {
	if len(a.RDNs) != len(b.RDNs) {
		return false
	}
	for i := range a.RDNs {
		if len(a.RDNs[i].Attributes) != len(b.RDNs[i].Attributes) {
			return false
		}
		for k := range a.RDNs[i].Attributes {
			if a.RDNs[i].Attributes[k].Type != b.RDNs[i].Attributes[k].Type {
				return false
			}
		}
	}
	return true
}

func placed(text string) bool {
	return strings.Contains(text, "%{name}") || strings.Contains(text, "%{user}") || strings.Contains(text, "%{domain}")
}

// fill puts a name into a text, each part escaped.
func fill(text, name string, escape func(string) string) string {
	user, domain := directory.SplitName(name)
	return strings.NewReplacer("%{name}", escape(name), "%{user}", escape(user), "%{domain}", escape(domain)).Replace(text)
}
