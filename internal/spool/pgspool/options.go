package pgspool

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"time"
)

// Durability is how much a commit has to survive.
type Durability uint8

const (
	// Synchronous: the loss of any one machine. The database must have a synchronous
	// standby, and commits wait for it.
	Synchronous Durability = iota
	// Primary: a power cut of the primary, but not its loss.
	Primary
)

// String prints "synchronous" or "primary".
func (d Durability) String() string {
	if d == Primary {
		return "primary"
	}
	return "synchronous"
}

// Options of a Spool. The zero value is good for a program that only looks.
type Options struct {
	// Node is the name of this node, unique in the cluster. Open takes it that no other
	// process of that name lives: what one of before had on lease is free again, and suspect. "": no node.
	Node string
	// Version of the program, shown by Nodes.
	Version string
	// Durability that is asked for; Open refuses a database that gives less.
	Durability Durability
	// Dial connects; nil is that of the system.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Random makes IDs; nil is crypto/rand. It is read by many goroutines at once.
	Random io.Reader
	// Log is told what happens behind the calls. Nil is silence.
	Log *slog.Logger

	// Heartbeat is how often it is looked whether the database can keep its promise; 0 is a second.
	Heartbeat time.Duration
	// Timeout of one call of the database, the wait for its standby included; 0 is 15 s.
	Timeout time.Duration
	// Connections to the database at the most; 0 is 16.
	Connections int

	// DraftMemory is how many octets of all drafts may be in memory; 0 is 128 MiB.
	// Past it, and from 128 KiB upward, a draft goes to the database as it is written.
	DraftMemory int64

	// KeepFacts and FactBytes are what the journal keeps; 0 is 30 days and 2 GB.
	KeepFacts time.Duration
	FactBytes int64

	mayLose bool // at a power cut: a test's database does not sync
}

func (o Options) withDefaults() Options {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	set(&o.Heartbeat, time.Second)
	set(&o.Timeout, 15*time.Second)
	set(&o.Connections, 16)
	set(&o.DraftMemory, 128<<20)
	set(&o.KeepFacts, 30*24*time.Hour)
	set(&o.FactBytes, 2<<30)
	return o
}

func set[T comparable](option *T, standard T) {
	var zero T
	if *option == zero {
		*option = standard
	}
}
