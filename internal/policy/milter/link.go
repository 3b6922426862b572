package milter

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// link is a connection to the program. One client's session has it at a time.
type link struct {
	conn    net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	version uint32
	does    uint32            // what it may do to a message
	skips   uint32            // what it does not want to hear, or does not answer
	macros  map[byte][]string // by command, those that it wants to hear; others are all told
	again   bool              // it was used for another client before
	since   time.Time
}

// dial connects, and agrees with the program on what is spoken.
func (m *Milter) dial(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opts.Connect)
	defer cancel()
	conn, err := m.opts.Dial(ctx, m.opts.Network, m.opts.Address)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriter(conn)}
	release := l.bound(ctx, m.opts.Connect)
	defer release()
	if err := l.negotiate(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("negotiation: %w", err)
	}
	return l, nil
}

func (l *link) negotiate() error {
	offer := binary.BigEndian.AppendUint32(nil, versionWeSpeak)
	offer = binary.BigEndian.AppendUint32(offer, mayDoAll)
	offer = binary.BigEndian.AppendUint32(offer, offersAll)
	if err := errors.Join(writePacket(l.w, cmdNegotiate, offer), l.w.Flush()); err != nil {
		return err
	}
	p, err := readPacket(l.r)
	if err != nil {
		return err
	}
	if p.code != cmdNegotiate || len(p.data) < 12 {
		return fmt.Errorf("it answers with %q", p.code)
	}
	l.version, l.does, l.skips = binary.BigEndian.Uint32(p.data), binary.BigEndian.Uint32(p.data[4:]), binary.BigEndian.Uint32(p.data[8:])
	switch {
	case l.version < 2 || l.version > versionWeSpeak:
		return fmt.Errorf("it speaks version %d", l.version)
	case l.does&^mayDoAll != 0 || l.skips&^offersAll != 0:
		return fmt.Errorf("it wants what was not offered (%#x, %#x)", l.does&^mayDoAll, l.skips&^offersAll)
	}
	return l.nameMacros(p.data[12:])
}

// nameMacros reads which macros the program wants to hear: the number of a stage in four octets, and names
// with blanks between them, for some stages.
func (l *link) nameMacros(list []byte) error {
	for len(list) > 0 {
		if len(list) < 5 || l.does&mayNameMacros == 0 {
			return errors.New("it names macros in a way that makes no sense")
		}
		stage, names, rest := binary.BigEndian.Uint32(list), "", []byte(nil)
		if names, rest = cut(list[4:]); stage < uint32(len(stagesOfMacros)) {
			if l.macros == nil {
				l.macros = map[byte][]string{}
			}
			l.macros[stagesOfMacros[stage]] = strings.Fields(names)
		}
		list = rest
	}
	return nil
}

// bound lets what is read and written end after a time, or when ctx ends. The function that it
// returns is to be called when that is over.
func (l *link) bound(ctx context.Context, limit time.Duration) (release func()) {
	deadline := time.Now().Add(limit)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	_ = l.conn.SetDeadline(deadline) // else reading fails, too
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = l.conn.SetDeadline(time.Unix(1, 0))
		close(over)
	})
	return func() {
		if !stop() {
			<-over // so that it does not end what comes next
		}
	}
}

// tell says something, with the macros of that stage, if the program wants to hear it.
func (l *link) tell(c command, macros []byte, parts ...[]byte) error {
	if l.skips&c.skips != 0 {
		return nil
	}
	if names, named := l.macros[c.code]; named {
		macros = only(macros, names)
	}
	if len(macros) > 0 {
		if err := writePacket(l.w, cmdMacros, []byte{c.code}, macros); err != nil {
			return err
		}
	}
	return writePacket(l.w, c.code, parts...)
}

// answers reports whether the program answers a command.
func (l *link) answers(c command) bool { return l.skips&(c.skips|c.silent) == 0 }

// maxProgress is for how many times the limit of a stage a program may be at work.
const maxProgress = 4

// hear reads the answer to what was told, within a limit that "progress" begins anew.
func (l *link) hear(ctx context.Context, limit time.Duration) (packet, error) {
	if err := l.w.Flush(); err != nil {
		return packet{}, err
	}
	for range 1000 * maxProgress {
		p, err := readPacket(l.r)
		if err != nil || p.code != saysProgress {
			return p, err
		}
		if time.Since(l.since) > maxProgress*limit {
			break
		}
		l.bound(ctx, limit)()
	}
	return packet{}, errors.New("it is at work without end")
}

// bye ends the connection politely, without waiting for anything.
func (l *link) bye() {
	_ = l.conn.SetDeadline(time.Now().Add(time.Second))
	_ = errors.Join(writePacket(l.w, cmdQuit), l.w.Flush()) // it hears that we are gone in any case
	l.conn.Close()
}
