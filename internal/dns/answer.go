package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Resolver answers questions. Its methods may be called from many goroutines.
//
// An error is or wraps one of the errors below, or is that of ctx. The Answer
// that comes with [ErrNotFound] and [ErrNoData] has no records, but says whether
// the denial is authenticated and how long it holds.
type Resolver interface {
	// MX returns the mail exchangers of a domain, best preference first. A null
	// MX (RFC 7505) is the one record with the root as its host.
	MX(ctx context.Context, domain Name) (Answer[MX], error)
	// A and AAAA return the addresses of a host.
	A(ctx context.Context, host Name) (Answer[netip.Addr], error)
	AAAA(ctx context.Context, host Name) (Answer[netip.Addr], error)
	// TXT returns texts, the strings of each record joined. They may hold any
	// octets.
	TXT(ctx context.Context, name Name) (Answer[string], error)
	// PTR returns the names of an address, as its owner tells them: whoever acts
	// on one asks for its addresses too.
	PTR(ctx context.Context, addr netip.Addr) (Answer[Name], error)
	// TLSA returns what a service says of its certificate, under a name such as
	// "_25._tcp.mx.example.org". It means something only if it is authenticated.
	TLSA(ctx context.Context, service Name) (Answer[TLSA], error)
}

// ServiceResolver is a [Resolver] that knows where services are, as [Resolver] says.
// Only commands ask for that; the mail itself goes elsewhere.
type ServiceResolver interface {
	Resolver
	// SRV returns the hosts of a service, under a name such as
	// "_submissions._tcp.example.org".
	SRV(ctx context.Context, service Name) (Answer[SRV], error)
}

// Answer is the records of one type that a name has.
type Answer[T any] struct {
	// Name is where the records are: the name that was asked, or the one to
	// which CNAME records led from there.
	Name Name
	// Authenticated: a resolver that is trusted to do so has validated all of
	// the answer, CNAME records included, by DNSSEC (RFC 4035, 3.2.3).
	Authenticated bool
	// TTL is how long the answer may be kept.
	TTL time.Duration
	// Records is not to be changed, and never empty without an error.
	Records []T
	// Omitted is how many records were left out: beyond what is kept of one
	// answer, or with a name that is none.
	Omitted int
}

// MX is a mail exchanger of a domain.
type MX struct {
	Preference uint16
	Host       Name // the root: the domain takes no mail (RFC 7505)
}

// TLSA says which certificate a service has (RFC 6698, 2.1).
type TLSA struct {
	Usage    uint8  // 2: a certificate that vouches for it, 3: its own (RFC 7672 knows no other)
	Selector uint8  // 0: the whole certificate, 1: its public key
	Matching uint8  // 0: Data is the thing itself, 1: its SHA-256, 2: its SHA-512
	Data     []byte // not to be changed
}

// SRV is a host of a service (RFC 2782).
type SRV struct {
	Priority, Weight, Port uint16
	Host                   Name // the root: the service is decidedly not there
}

// String prints the record as a zone file has it.
func (r SRV) String() string {
	return fmt.Sprintf("%d %d %d %s", r.Priority, r.Weight, r.Port, r.Host)
}

// String prints the numbers, and the data in hexadecimal, shortened.
func (r TLSA) String() string {
	const most = 8
	data := fmt.Sprintf("%x", r.Data[:min(len(r.Data), most)])
	if len(r.Data) > most {
		data += "..."
	}
	return fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.Matching, data)
}

// MaxRecords is how many records an answer has at most. Of MX records the best
// are kept.
const MaxRecords = 100

// Errors of a Resolver.
var (
	ErrNotFound  = errors.New("no such name")      // NXDOMAIN
	ErrNoData    = errors.New("no such record")    // the name has records of other types, or none
	ErrUnusable  = errors.New("no usable record")  // there are records, but all are malformed, or CNAMEs without end
	ErrTemporary = errors.New("no answer for now") // the servers are silent, failing or refuse to answer
	ErrBogus     = errors.New("validation failed") // the resolver's DNSSEC validation says that the answer is forged or broken
)

// Final reports whether an error is an answer, so that it makes no sense to ask
// again soon: [ErrNotFound], [ErrNoData] or [ErrUnusable].
func Final(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrNoData) || errors.Is(err, ErrUnusable)
}

// Error is what a question came to.
type Error struct {
	Question string // "MX example.org"
	Server   string // who said so; "" if it was nobody
	Err      error  // one of the errors above
	Detail   string // one printable line, or ""
}

func (e *Error) Error() string {
	s := e.Question + ": " + e.Err.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Server != "" {
		s += " (asked " + e.Server + ")"
	}
	return s
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// SortMX puts the best preference first, equal ones in the order of their names.
func SortMX(records []MX) {
	slices.SortFunc(records, func(a, b MX) int {
		if a.Preference != b.Preference {
			return int(a.Preference) - int(b.Preference)
		}
		return strings.Compare(a.Host.text, b.Host.text)
	})
}
