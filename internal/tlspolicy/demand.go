package tlspolicy

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/mail"
)

// Level is how much security a connection must have.
type Level uint8

// The levels. The zero value asks for nothing.
const (
	Opportunistic Level = iota // TLS if it is offered, with any certificate (RFC 7435)
	Never                      // no TLS, even if it is offered
	Encrypted                  // TLS, with any certificate
	Verified                   // TLS, and proof that the host is the one that was meant
)

var levelNames = [...]string{"opportunistic", "never", "encrypted", "verified"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return ""
}

// Mandatory reports whether mail has to wait rather than go without it.
func (l Level) Mandatory() bool { return l >= Encrypted }

// Query is a host that takes the mail of a domain.
type Query struct {
	Domain dns.Name // of the recipients; the root if there is none, as with an address literal
	// Signed: nobody can have forged that the domain's mail goes to the host.
	Signed bool

	Host dns.Name // as the MX record names it; the root if only an address is known
	// Canonical is where CNAME records lead from Host, and Host itself without any.
	Canonical dns.Name
	// HostSigned: nobody can have forged the addresses, nor the CNAME records.
	HostSigned bool
	Port       uint16
}

// Demand is what somebody asks of a connection to a host. The zero Demand asks for
// nothing.
type Demand struct {
	By    string // who asks: "configuration", "DANE", "MTA-STS", "memory"; "" for nobody
	Level Level
	// Policy is what was published or written, a printable line for each record, for reports.
	Policy []string
	// Origin is the setting, if it is the configuration that asks.
	Origin mail.Origin
	// Why tells a person, in one printable line: "MTA-STS policy of example.org, id 1". It
	// may come with the zero Demand.
	Why string

	// Testing: what is demanded is tried, and a failure is reported, but the mail goes.
	// Level is then Opportunistic.
	Testing bool
	// Refused, if it is not "", says why the host must not have the mail at all: the
	// policy does not name it. It is one printable line.
	Refused string
	// NamesHost: the demand itself proves that the mail of the domain goes to this host
	// (RFC 8689, 4.2.1).
	NamesHost bool

	// Fault is why a policy that is said to be there could not be had, if no other stands
	// in its place. It prints as one line, and comes with the zero Demand too.
	Fault error

	// ServerName is the name to ask the host for; "": that of the host.
	ServerName string
	// Verify judges the certificate of a connection, at level Verified. nil: it must be
	// good for ServerName and come from a trusted authority.
	Verify func(tls.ConnectionState) error
	// Key tells demands apart: connections made under one may be used under another with
	// the same Key.
	Key string

	// Until is how long the demand holds; zero: as long as it is not asked again.
	Until time.Time
}

// IsZero reports whether nobody asks for anything.
func (d *Demand) IsZero() bool { return d.By == "" }

// FromRecipient reports whether it is the receiving side's wish: a sender may waive it
// (RFC 8689, 3).
func (d *Demand) FromRecipient() bool { return d.By != "" && d.By != ByConfiguration }

// Who asks.
const (
	ByConfiguration = "configuration"
	ByDANE          = "DANE"
	ByMTASTS        = "MTA-STS"
	ByMemory        = "memory"
)

// Source says what is demanded of a host. It may be used by many goroutines.
type Source interface {
	// Demand may ask the DNS and wait. The zero Demand says that nothing is asked for. An
	// error says that it cannot be told now, and that the host must not be used meanwhile;
	// it prints as one line.
	Demand(ctx context.Context, q Query) (Demand, error)
}

// InOrder asks one source after the other. The first that has a demand is heard.
type InOrder []Source

// Demand implements [Source].
func (s InOrder) Demand(ctx context.Context, q Query) (Demand, error) {
	var testing, nothing Demand // what stands in nobody's way
	for _, source := range s {
		d, err := source.Demand(ctx, q)
		switch {
		case err != nil:
			return Demand{}, err
		case d.Testing && testing.IsZero():
			testing = d
		case !d.Testing && !d.IsZero():
			return d, nil
		case d.IsZero() && (nothing.Fault == nil && nothing.Why == ""):
			nothing = d
		}
	}
	if testing.IsZero() {
		return nothing, nil
	}
	return testing, nil
}
