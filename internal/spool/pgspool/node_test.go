package pgspool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pgspool"
)

// node is an engine of a cluster with its owner.
type node struct {
	*pgspool.Spool
	owner spool.Owner
	ctx   context.Context
	t     testing.TB
}

// accept commits a message; with a lease if the node wants one.
func (n *node) accept(owner spool.Owner, body string, to ...string) (*spool.Lease, mail.ID) {
	n.t.Helper()
	d, err := n.Begin(n.ctx, 0)
	check(n.t, err)
	_, err = io.WriteString(d, body)
	check(n.t, err)
	lease, err := d.Commit(n.ctx, spool.Commit{Envelope: envelope(to...), For: owner, Facts: []spool.Fact{{At: time.Now(), Data: []byte("arrived")}}})
	check(n.t, err)
	return lease, d.ID()
}

func (n *node) take() spool.Taken {
	n.t.Helper()
	taken, err := n.Lease(n.ctx, n.owner, spool.Want{Recipients: 1000})
	check(n.t, err)
	return taken
}

func (n *node) settle(l *spool.Lease) spool.Settled {
	n.t.Helper()
	settled, err := n.Settle(n.ctx, n.owner, []spool.Settlement{relayed(l)})
	check(n.t, err)
	return settled[0]
}

func (n *node) content(id mail.ID) string {
	n.t.Helper()
	c, err := n.Open(n.ctx, id)
	check(n.t, err)
	r, err := c.Open()
	check(n.t, err)
	b, err := io.ReadAll(r)
	check(n.t, err)
	return string(b)
}

// two are two nodes that share one database.
func two(t testing.TB) (a, b *node) {
	server, name := database(t)
	a, b = &node{ctx: context.Background(), t: t}, &node{ctx: context.Background(), t: t}
	for i, n := range []*node{a, b} {
		own := fmt.Sprint("node-", i+1)
		n.Spool = open(t, server.DSN(name), options(own))
		o, err := n.Join(n.ctx, own, time.Minute)
		check(t, err)
		n.owner = o
	}
	return a, b
}

// TestAPausedNode stops long enough to lose its epoch, while another takes over; what it then says
// of its deliveries is refused, and the other knows that there may be a second copy.
func TestAPausedNode(t *testing.T) {
	a, b := two(t)
	lease, id := a.accept(a.owner, "It rains.\r\n", "bob@sina.example")
	if taken := b.take(); len(taken.Leases) != 0 {
		t.Fatalf("a leased one was taken: %+v", taken)
	}
	_, err := a.Pool().Exec(a.ctx, "UPDATE node SET until = clock_timestamp() WHERE name = 'node-1'") // so much time has passed
	check(t, err)
	taken := b.take()
	if len(taken.Leases) != 1 || taken.Leases[0].Envelope.ID != id || !taken.Leases[0].Recipients[0].Suspect {
		t.Fatalf("taken over: %+v", taken)
	}
	if got := a.settle(lease); !errors.Is(got.Err, spool.ErrLeaseLost) {
		t.Errorf("a late result: %v", got.Err)
	}
	if err := a.Beat(a.ctx, a.owner); !errors.Is(err, spool.ErrLeaseLost) {
		t.Errorf("a late beat: %v", err)
	}
	if lease, _ := a.accept(a.owner, "More.\r\n", "eve@sina.example"); lease != nil {
		t.Errorf("a lease was born to an epoch that is over: %+v", lease)
	}
	check(t, b.settle(&taken.Leases[0]).Err)
}

// TestTwoNodesShareOneMessage: each finishes one of its recipients at the same time, and the message goes with both.
func TestTwoNodesShareOneMessage(t *testing.T) {
	a, b := two(t)
	for range 20 {
		_, id := a.accept(spool.Owner{}, "It rains.\r\n", "bob@sina.example", "eve@sohu.example")
		one, err := a.Lease(a.ctx, a.owner, spool.Want{Recipients: 1})
		check(t, err)
		other, err := b.Lease(b.ctx, b.owner, spool.Want{Recipients: 1})
		check(t, err)
		if len(one.Leases) != 1 || len(other.Leases) != 1 {
			t.Fatalf("leased %+v and %+v", one, other)
		}
		var both sync.WaitGroup
		both.Go(func() { check(t, a.settle(&one.Leases[0]).Err) })
		both.Go(func() { check(t, b.settle(&other.Leases[0]).Err) })
		both.Wait()
		if _, err := a.Open(a.ctx, id); !errors.Is(err, spool.ErrNotFound) {
			t.Fatalf("the message is there: %v", err)
		}
	}
	whole(t, a.Spool)
}

// whole checks the spool.
func whole(t testing.TB, s *pgspool.Spool) spool.Checked {
	t.Helper()
	found, err := s.Check(context.Background(), nil)
	check(t, err)
	if len(found.Problems) > 0 {
		t.Errorf("%+v", found.Problems)
	}
	return found
}

// TestNodesThatWorkAtOnce take in, lease and settle side by side: nobody has what another has, no
// reader of the journal passes a fact by, and in the end all is done.
func TestNodesThatWorkAtOnce(t *testing.T) {
	const messages, writers = 120, 4
	a, b := two(t)
	var seen sync.Map
	var done atomic.Int64
	var all sync.WaitGroup
	for _, n := range []*node{a, b} {
		for w := range writers {
			all.Go(func() {
				for i := range messages / writers {
					owner := spool.Owner{}
					if i%2 == 0 {
						owner = n.owner
					}
					lease, _ := n.accept(owner, "It rains.\r\n", fmt.Sprintf("u%d@d%d.example", i, w))
					if lease != nil {
						check(t, n.settle(lease).Err)
					}
				}
			})
		}
		all.Go(func() {
			for done.Load() < messages { // half of what both take in
				taken, err := n.Lease(n.ctx, n.owner, spool.Want{Recipients: 7})
				check(t, err)
				for i := range taken.Leases {
					if _, twice := seen.LoadOrStore(taken.Leases[i].Envelope.ID, true); twice {
						t.Errorf("%s was leased twice", taken.Leases[i].Envelope.ID)
					}
					check(t, n.settle(&taken.Leases[i]).Err)
				}
				done.Add(int64(len(taken.Leases)))
				if len(taken.Leases) == 0 {
					time.Sleep(5 * time.Millisecond) // another look is no use sooner
				}
			}
		})
	}
	facts := make(chan int)
	go func() { facts <- follow(t, a, 4*messages) }()
	all.Wait()
	for len(a.take().Leases)+len(b.take().Leases) > 0 {
		t.Error("something was left") // and is now leased for good
	}
	if got := <-facts; got != 4*messages {
		t.Errorf("%d facts were read, want %d", got, 4*messages)
	}
	st, err := a.Stats(a.ctx)
	if err != nil || st.Messages != 0 || st.Fresh != 0 || st.Leased != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	whole(t, b.Spool)
}

// follow reads the journal as it grows, from where it has come to, until it has so many facts.
func follow(t testing.TB, n *node, want int) (got int) {
	var after uint64
	for guard := time.Now().Add(2 * time.Minute); got < want && time.Now().Before(guard); {
		page, err := n.Facts(n.ctx, spool.FactQuery{After: after, Limit: 10})
		check(t, err)
		for _, f := range page.Facts {
			after = f.Seq
		}
		got += len(page.Facts)
	}
	return got
}

// TestContentsOutliveTheirHour: what is still there when its table is dropped is moved, and read as before.
func TestContentsOutliveTheirHour(t *testing.T) {
	a, b := two(t)
	large := strings.Repeat("rain and snow\r\n", 40_000)
	gone, _ := a.accept(a.owner, "It rains.\r\n", "bob@sina.example")
	kept, id := a.accept(a.owner, large, "eve@sina.example")
	c, err := b.Open(b.ctx, id)
	check(t, err)
	slow, err := c.Open()
	check(t, err)
	check(t, a.settle(gone).Err)
	check(t, a.DropSlices(a.ctx, pgspool.SliceAt(time.Now())+10))
	if got, err := io.ReadAll(slow); err != nil || string(got) != large {
		t.Errorf("a reader that was open: %d octets, %v", len(got), err)
	}
	if got := b.content(id); got != large {
		t.Errorf("%d octets", len(got))
	}
	var tables []string
	rows, err := a.Pool().Query(a.ctx, "SELECT tablename::text FROM pg_tables WHERE tablename LIKE 'body\\_%' ORDER BY 1")
	check(t, err)
	for rows.Next() {
		var name string
		check(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	if !slices.Equal(tables, []string{"body_rest"}) {
		t.Errorf("tables %v", tables)
	}
	whole(t, a.Spool)
	check(t, a.settle(kept).Err)
	var left int
	check(t, a.Pool().QueryRow(a.ctx, "SELECT count(*) FROM body_rest").Scan(&left))
	if left != 0 {
		t.Errorf("%d chunks are left", left)
	}
}

// TestOthersAreWoken by what a node leaves to them, and by who asks them to drain; not by themselves.
func TestOthersAreWoken(t *testing.T) {
	a, b := two(t)
	heard, own := b.Wake("node-2"), a.Wake("node-1")
	drain(heard)
	a.accept(spool.Owner{}, "It rains.\r\n", "bob@sina.example")
	<-heard
	drain(own)
	check(t, a.Drain(a.ctx, "node-1", true))
	<-own
	if on, err := b.Draining(b.ctx, "node-1"); err != nil || !on {
		t.Errorf("draining: %v, %v", on, err)
	}
	nodes, err := b.Nodes(b.ctx)
	if err != nil || len(nodes) != 2 || !nodes[0].Draining || nodes[1].Draining || nodes[0].Version != "v1" || nodes[0].Owner != a.owner {
		t.Errorf("%+v, %v", nodes, err)
	}
	if err := a.Drain(a.ctx, "nobody", true); !errors.Is(err, spool.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// TestNobodyWaitsForANodeThatStandsStill in the middle of a transaction.
func TestNobodyWaitsForANodeThatStandsStill(t *testing.T) {
	a, b := two(t)
	a.accept(a.owner, "It rains.\r\n", "bob@sina.example")
	tx, err := a.Pool().Begin(a.ctx)
	check(t, err)
	_, err = tx.Exec(a.ctx, "SELECT FROM node WHERE name = 'node-1' FOR KEY SHARE")
	check(t, err)
	_, err = b.Pool().Exec(b.ctx, "UPDATE node SET until = clock_timestamp() WHERE name = 'node-1'")
	check(t, err)
	if taken := b.take(); len(taken.Leases) != 0 {
		t.Errorf("taken: %+v", taken)
	}
	check(t, tx.Rollback(a.ctx))
	if taken := b.take(); len(taken.Leases) != 1 {
		t.Errorf("taken over: %+v", taken)
	}
}
