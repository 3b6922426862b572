package pgspool_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// cut is where a line to the database breaks.
type cut uint8

const (
	beforeCommit cut = iota + 1 // what ends a settlement does not reach the database
	afterCommit                 // it does, and the answer does not come back
	afterInsert                 // the same with a commit of messages
)

// What a database answers: a transaction was begun, something was read, it was committed, a row
// was inserted; and no transaction is open, so that the next one may come.
var (
	begun     = []byte("BEGIN\x00")
	selected  = []byte("SELECT ")
	committed = []byte("COMMIT\x00")
	inserted  = []byte("INSERT 0 1\x00")
	ready     = []byte("Z\x00\x00\x00\x05I")
)

// line leads a spool to its database, and breaks where it is told to, once.
type line struct {
	socket string

	mu   sync.Mutex // guards what follows
	at   cut
	then func() // is called when it has broken
}

func (l *line) breaks(at cut, then func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.then = at, then
}

// broke reports whether the line has broken where it was to.
func (l *line) broke() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at == 0
}

// meets reports whether the line is to break here, and breaks it.
func (l *line) meets(at cut, c net.Conn) bool {
	l.mu.Lock()
	breaks := l.at == at
	if breaks {
		l.at = 0
		_ = c.Close()
	}
	then := l.then
	l.mu.Unlock()
	if breaks && then != nil {
		then()
	}
	return breaks
}

func (l *line) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", l.socket)
	if err != nil {
		return nil, err
	}
	return &lineConn{Conn: c, line: l}, nil
}

// lineConn is a connection of a line. It tells settlements and commits from what is done behind them: the
// first read in the question that begins them, and the others need none.
type lineConn struct {
	net.Conn
	line *line
	mu   sync.Mutex // guards what follows: pgx may read while it writes
	// settles: a settlement was begun; judged: it was heard what stands, and the next
	// question ends it.
	settles, judged bool
	open, rows      bool // a transaction is open; rows were inserted without one
}

func (c *lineConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	judged := c.judged
	c.judged = false
	c.mu.Unlock()
	if judged && c.line.meets(beforeCommit, c.Conn) {
		return len(p), nil // as a system does that has taken it, and has not sent it
	}
	return c.Conn.Write(p)
}

func (c *lineConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if at := c.hear(p[:n]); at != 0 && c.line.meets(at, c.Conn) {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// hear returns where the line may break now that the database has said so.
func (c *lineConn) hear(said []byte) (at cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Contains(said, begun) {
		c.open = true
		c.settles = bytes.Contains(said, selected)
		c.judged = c.settles
	}
	c.rows = c.rows || !c.open && bytes.Contains(said, inserted)
	if !bytes.Contains(said, ready) {
		return 0
	}
	switch {
	case c.settles && bytes.Contains(said, committed):
		at = afterCommit
	case c.rows:
		at = afterInsert
	}
	c.settles, c.open, c.rows = false, false, false
	return at
}

// fragile is a node whose line to the database can be made to break, and one beside it that
// has a line of its own.
func fragile(t testing.TB) (*node, *line, *node) {
	t.Helper()
	server, name := database(t)
	l := &line{socket: server.Dir + "/.s.PGSQL.5432"}
	o := options("node-1")
	o.Dial, o.Timeout = l.dial, guard
	n := &node{Spool: open(t, "postgres://posthouse@db.example/"+name+"?sslmode=disable", o), ctx: t.Context(), t: t}
	other := &node{Spool: open(t, server.DSN(name), options("node-2")), ctx: t.Context(), t: t}
	var err error
	n.owner, err = n.Join(n.ctx, "node-1", guard)
	check(t, err)
	other.owner, err = other.Join(other.ctx, "node-2", guard)
	check(t, err)
	return n, l, other
}

// guard is longer than anything takes here on any machine.
const guard = 10 * time.Minute
