package dnsclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	wire "github.com/miekg/dns"

	"github.com/posthouse/posthouse/internal/dns"
)

// reply is a server's answer to our question.
type reply struct {
	*wire.Msg
	server string
	ad     bool // and it is to be believed
	octets int
}

// udpSize is what we tell servers of the datagrams that we take: one that no
// network cuts in pieces (RFC 9715).
const udpSize = 1232

// exchange asks one server. The error is [dns.ErrBogus], or says why the server
// has no answer.
func (c *Client) exchange(ctx context.Context, server netip.AddrPort, name string, typ uint16) (reply, error) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	q := query(name, typ)
	r, err := c.ways(ctx, server, q)
	if err == nil && (r.Rcode == wire.RcodeFormatError || r.Rcode == wire.RcodeNotImplemented) {
		q.Extra = nil // a server from before EDNS (RFC 6891, 7)
		r, err = c.ways(ctx, server, q)
	}
	if err != nil {
		return reply{}, err
	}
	r.server = server.String()
	r.ad = r.AuthenticatedData && (c.TrustAD || server.Addr().IsLoopback())
	return r, verdict(r.Msg)
}

// query asks for recursion, and with the AD bit whether the answer is
// authenticated (RFC 6840, 5.7).
func query(name string, typ uint16) *wire.Msg {
	q := new(wire.Msg)
	q.SetQuestion(wire.Fqdn(name), typ)
	q.AuthenticatedData = true
	q.SetEdns0(udpSize, false)
	return q
}

// ways asks over UDP, and over TCP if that answer is not whole.
func (c *Client) ways(ctx context.Context, server netip.AddrPort, q *wire.Msg) (reply, error) {
	r, err := c.over(ctx, "udp", server, q, askUDP)
	if err == nil && !r.Truncated || err != nil && !errors.Is(err, errMalformed) {
		return r, err
	}
	r, err = c.over(ctx, "tcp", server, q, askTCP)
	if err == nil && r.Truncated {
		err = errors.New("answer over TCP is truncated")
	}
	return r, err
}

func (c *Client) over(ctx context.Context, network string, server netip.AddrPort, q *wire.Msg, ask func(net.Conn, *wire.Msg) (reply, error)) (reply, error) {
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, server.String())
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	r, err := ask(conn, q)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("over %s: %w", network, context.Cause(ctx))
	}
	return r, err
}

// errMalformed says that octets came that are no DNS message.
var errMalformed = errors.New("malformed message")

// maxStrays is how many datagrams that answer another question are passed over:
// late answers, or somebody who guesses.
const maxStrays = 64

func askUDP(conn net.Conn, q *wire.Msg) (reply, error) {
	out, err := q.Pack()
	if err != nil {
		return reply{}, err
	}
	if _, err := conn.Write(out); err != nil {
		return reply{}, err
	}
	buf := make([]byte, 4096)
	for range maxStrays {
		n, err := conn.Read(buf)
		if err != nil {
			return reply{}, err
		}
		r, err := read(q, buf[:n])
		if !errors.Is(err, errStray) {
			return r, err
		}
	}
	return reply{}, errStray
}

// askTCP has the length before each message (RFC 1035, 4.2.2).
func askTCP(conn net.Conn, q *wire.Msg) (reply, error) {
	out, err := q.Pack()
	if err != nil {
		return reply{}, err
	}
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(out)))
	if _, err := conn.Write(append(framed, out...)); err != nil {
		return reply{}, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return reply{}, err
	}
	in := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, in); err != nil {
		return reply{}, err
	}
	return read(q, in)
}

// errStray says that a message is no answer to our question.
var errStray = errors.New("answer to another question")

// read reads an answer and holds it against the question (RFC 5452, 9.1).
func read(q *wire.Msg, in []byte) (reply, error) {
	if len(in) < 12 || binary.BigEndian.Uint16(in) != q.Id {
		return reply{}, errStray
	}
	m := new(wire.Msg)
	if err := m.Unpack(in); err != nil {
		return reply{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	switch asked := q.Question[0]; {
	case len(m.Answer) != int(binary.BigEndian.Uint16(in[6:])):
		// The library is content with fewer records than were promised.
		return reply{}, fmt.Errorf("%w: %d records of the answer are missing", errMalformed, int(binary.BigEndian.Uint16(in[6:]))-len(m.Answer))
	case !m.Response || m.Opcode != wire.OpcodeQuery:
		return reply{}, errStray
	case len(m.Question) == 0 && m.Rcode != wire.RcodeSuccess:
		// Some servers refuse without repeating what they refuse.
	case len(m.Question) != 1 || m.Question[0].Qtype != asked.Qtype || m.Question[0].Qclass != asked.Qclass ||
		!strings.EqualFold(m.Question[0].Name, asked.Name):
		return reply{}, errStray
	}
	return reply{Msg: m, octets: len(in)}, nil
}

// verdict returns why an answer is none. That a name does not exist is an
// answer.
func verdict(m *wire.Msg) error {
	if m.Rcode == wire.RcodeSuccess || m.Rcode == wire.RcodeNameError {
		return nil
	}
	code := wire.RcodeToString[m.Rcode]
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if ede, ok := o.(*wire.EDNS0_EDE); ok {
				return extended(code, ede)
			}
		}
	}
	return errors.New(code)
}

// extended is for a server that says more (RFC 8914).
func extended(code string, e *wire.EDNS0_EDE) error {
	err := fmt.Errorf("%s, %s %q", code, wire.ExtendedErrorCodeToString[e.InfoCode], e.ExtraText)
	switch e.InfoCode {
	case wire.ExtendedErrorCodeDNSBogus, wire.ExtendedErrorCodeSignatureExpired, wire.ExtendedErrorCodeSignatureNotYetValid,
		wire.ExtendedErrorCodeDNSKEYMissing, wire.ExtendedErrorCodeRRSIGsMissing, wire.ExtendedErrorCodeNoZoneKeyBitSet,
		wire.ExtendedErrorCodeNSECMissing, wire.ExtendedErrorCodeSignatureExpiredBeforeValid:
		return fmt.Errorf("%w: %w", dns.ErrBogus, err)
	}
	return err
}
