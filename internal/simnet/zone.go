package simnet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	wire "github.com/miekg/dns"
)

// Zone is what a name server knows, as the test wrote it down, with the faults that it
// wants. It speaks DNS over UDP and TCP.
//
//	example.test      MX    10 mx.example.test
//	mx.example.test   A     192.0.2.1
//	old.test          CNAME example.test
//	signed.test       AD                the answers for this name are authenticated
//	slow.test         MX    !timeout    nothing comes back
//	shy.test          MX    !servfail 2 the first two questions fail, then there is an answer
//	# a comment
//
// The faults are !timeout, !servfail, !refused, !bogus (SERVFAIL, and why), !nxdomain,
// !truncated (over UDP), !wrong-id (somebody guesses, and nobody answers) and !garbage. A fault of type ANY is one of
// all types. A name without a line does not exist; one without a line of the type
// asked for has no such record. The zero Zone is empty.
type Zone struct {
	mu    sync.Mutex
	names map[string]*entry
	asked []string
}

// entry is what is known of a name.
type entry struct {
	records []wire.RR
	faults  map[string]*fault // by type
	ad      bool
}

type fault struct {
	word string
	left int // negative: for ever
}

// ttl of all answers, in seconds.
const ttl = 300

// NewZone reads a zone.
func NewZone(text string) (*Zone, error) {
	z := &Zone{}
	return z, z.Add(text)
}

// Add adds lines to a zone.
func (z *Zone) Add(text string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	for l := range strings.Lines(text) {
		if words := strings.Fields(l); len(words) > 0 && words[0][0] != '#' {
			if err := z.line(words); err != nil {
				return fmt.Errorf("zone: %q: %w", strings.TrimSpace(l), err)
			}
		}
	}
	return nil
}

// Drop forgets all that is known of a name.
func (z *Zone) Drop(name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.names, fold(name))
}

// Asked returns the questions so far, as "MX example.test".
func (z *Zone) Asked() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return append([]string(nil), z.asked...)
}

func fold(name string) string { return strings.ToLower(wire.Fqdn(name)) }

func (z *Zone) line(words []string) error {
	if len(words) < 2 {
		return errors.New("there is no type")
	}
	name, typ, value := fold(words[0]), strings.ToUpper(words[1]), words[2:]
	e := z.names[name]
	if e == nil {
		e = &entry{faults: map[string]*fault{}}
		if z.names == nil {
			z.names = map[string]*entry{}
		}
		z.names[name] = e
	}
	switch {
	case typ == "AD":
		e.ad = true
		return nil
	case len(value) > 0 && value[0][0] == '!':
		return e.fault(typ, value)
	}
	rr, err := wire.NewRR(fmt.Sprintf("%s %d IN %s %s", name, ttl, typ, strings.Join(value, " ")))
	if err != nil || rr == nil {
		return errors.Join(err, errors.New("it is no record"))
	}
	e.records = append(e.records, rr)
	return nil
}

func (e *entry) fault(typ string, words []string) error {
	f := &fault{words[0], -1}
	if len(words) > 1 {
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return err
		}
		f.left = n
	}
	switch f.word {
	case "!timeout", "!servfail", "!refused", "!bogus", "!nxdomain", "!truncated", "!wrong-id", "!garbage":
		e.faults[typ] = f
		return nil
	}
	return errors.New("there is no such fault")
}

// Serve answers at a port of a host, until the function that it returns is called.
func (z *Zone) Serve(ctx context.Context, h *Host, address string) (stop func(), err error) {
	l, err := h.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	pc, err := h.ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	var all sync.WaitGroup
	all.Go(func() { z.serveUDP(pc) })
	all.Go(func() { z.serveTCP(l) })
	return func() {
		_ = pc.Close() // what could go wrong has gone
		_ = l.Close()
		all.Wait()
	}, nil
}

func (z *Zone) serveUDP(pc net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		if out := z.reply(buf[:n], true); out != nil {
			_, _ = pc.WriteTo(out, from) // as sure as UDP is
		}
	}
}

func (z *Zone) serveTCP(l net.Listener) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			z.converse(c)
			_ = c.Close()
		})
	}
}

// converse answers until the client has no more questions (RFC 1035, 4.2.2).
func (z *Zone) converse(c net.Conn) {
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		in := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, in); err != nil {
			return
		}
		out := z.reply(in, false)
		if out == nil {
			continue
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return
		}
	}
}

// reply is what comes back; nil: nothing.
func (z *Zone) reply(in []byte, udp bool) []byte {
	q := new(wire.Msg)
	if q.Unpack(in) != nil || len(q.Question) != 1 {
		return nil
	}
	a := new(wire.Msg).SetReply(q)
	a.RecursionAvailable = true
	fault := z.answer(q, a)
	size := wire.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = int(opt.UDPSize())
		a.SetEdns0(opt.UDPSize(), opt.Do())
	}
	if !spoil(a, fault, udp) {
		return nil
	}
	if udp {
		a.Truncate(size)
		a.Truncated = a.Truncated || fault == "!truncated"
	}
	out, err := a.Pack()
	if err != nil {
		return nil
	}
	if fault == "!garbage" {
		return append(out[:12:12], 0xff, 0xff, 0xff)
	}
	return out
}

// spoil does harm to an answer; false: there is none.
func spoil(a *wire.Msg, fault string, udp bool) bool {
	switch fault {
	case "!timeout":
		return false
	case "!servfail", "!bogus":
		a.Rcode, a.Answer = wire.RcodeServerFailure, nil
		if opt := a.IsEdns0(); opt != nil && fault == "!bogus" {
			opt.Option = append(opt.Option, &wire.EDNS0_EDE{InfoCode: wire.ExtendedErrorCodeDNSBogus})
		}
	case "!refused":
		a.Rcode, a.Answer = wire.RcodeRefused, nil
	case "!nxdomain":
		a.Rcode, a.Answer = wire.RcodeNameError, nil
	case "!truncated":
		if udp {
			a.Answer = nil
		}
	case "!wrong-id":
		a.Id++
	}
	return true
}

// answer fills in an answer, and returns the fault that it is to have.
func (z *Zone) answer(q, a *wire.Msg) (fault string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	asked := q.Question[0]
	typ := wire.TypeToString[asked.Qtype]
	z.asked = append(z.asked, typ+" "+strings.TrimSuffix(fold(asked.Name), "."))
	name := fold(asked.Name)
	a.AuthenticatedData = q.AuthenticatedData
	for range 8 {
		e := z.names[name]
		if e == nil {
			a.Rcode = wire.RcodeNameError
			return fault
		}
		a.AuthenticatedData = a.AuthenticatedData && e.ad
		if f := e.due(typ); f != "" {
			fault = f
		}
		next := e.find(asked.Qtype, a)
		if next == "" {
			break
		}
		name = fold(next)
	}
	return fault
}

// due takes a fault of a type.
func (e *entry) due(typ string) string {
	for _, t := range []string{typ, "ANY"} {
		if f := e.faults[t]; f != nil && f.left != 0 {
			f.left--
			return f.word
		}
	}
	return ""
}

// find adds the records of a type, or an alias, whose name it returns.
func (e *entry) find(typ uint16, a *wire.Msg) (alias string) {
	for _, rr := range e.records {
		c, isAlias := rr.(*wire.CNAME)
		if rr.Header().Rrtype == typ || isAlias {
			a.Answer = append(a.Answer, wire.Copy(rr))
		}
		if isAlias && typ != wire.TypeCNAME {
			alias = c.Target
		}
	}
	return alias
}
