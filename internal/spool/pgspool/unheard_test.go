package pgspool_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// bounced is what a node settles when mail comes back: one recipient is waited for, one has failed, and
// a report tells of that. It is leased to the node as it is committed.
func (n *node) bounced(l *spool.Lease) spool.Settlement {
	n.t.Helper()
	d, err := n.Begin(n.ctx, 0)
	check(n.t, err)
	_, err = io.WriteString(d, "It could not be delivered.\r\n")
	check(n.t, err)
	t := spool.Settlement{ID: l.Envelope.ID, Facts: []spool.Fact{{At: time.Now(), Data: []byte("settled")}}}
	waits, failed := l.Recipients[0], l.Recipients[1]
	waits.Fate, waits.Attempts, waits.Due = mail.Deferred, 1, time.Now().Add(time.Hour)
	failed.Fate, failed.Attempts = mail.Failed, 1
	t.Results = []spool.Standing{waits, failed}
	t.Reports = []spool.Report{{Draft: d, Recipients: []int{1}, Commit: spool.Commit{
		Envelope: envelope("ann@sohu.example"), For: n.owner, Facts: []spool.Fact{{At: time.Now(), Data: []byte("a report")}},
	}}}
	return t
}

// told counts the facts of a message that say so.
func (n *node) told(id mail.ID, what string) (times int) {
	n.t.Helper()
	page, err := n.Facts(n.ctx, spool.FactQuery{ID: id})
	check(n.t, err)
	for i := range page.Facts {
		if string(page.Facts[i].Data) == what {
			times++
		}
	}
	return times
}

// TestASettlementThatWasNotAnswered is recorded once, wherever the line broke: with its report, and the lease on that.
func TestASettlementThatWasNotAnswered(t *testing.T) {
	for what, at := range map[string]cut{"the answer is lost": afterCommit, "the question is lost": beforeCommit} {
		t.Run(what, func(t *testing.T) {
			a, l, b := fragile(t)
			lease, id := a.accept(a.owner, "It rains.\r\n", "bob@sina.example", "eve@sina.example")
			s := a.bounced(lease)
			report := s.Reports[0].Draft.ID()
			l.breaks(at, nil)
			settled, err := a.Settle(a.ctx, a.owner, []spool.Settlement{s})
			if !l.broke() {
				t.Fatal("the line did not break")
			}
			check(t, err)
			got := settled[0].Reports[0]
			if settled[0].Err != nil || !got.Committed || got.Lease == nil || got.Lease.Envelope.ID != report {
				t.Fatalf("%+v", settled[0])
			}
			if n, m := b.told(id, "settled"), b.told(report, "a report"); n != 1 || m != 1 {
				t.Errorf("it is in the journal %d times, its report %d times", n, m)
			}
			if st, err := b.Stats(b.ctx); err != nil || st.Messages != 2 || st.Leased != 1 || st.Waiting != 1 || st.Fresh != 1 {
				t.Errorf("%+v, %v", st, err)
			}
			check(t, a.settle(got.Lease).Err)
			if _, err := a.Open(a.ctx, report); !errors.Is(err, spool.ErrNotFound) {
				t.Errorf("the report: %v", err)
			}
			whole(t, a.Spool)
		})
	}
}

// TestASettlementThatWasNotAnsweredAndLeasedAgain before the database is asked: it tells by the
// recipient that is gone, and of one alone by nothing.
func TestASettlementThatWasNotAnsweredAndLeasedAgain(t *testing.T) {
	again := func(t *testing.T, to []string) (*node, error) {
		a, l, b := fragile(t)
		lease, _ := a.accept(a.owner, "It rains.\r\n", to...)
		s := spool.Settlement{ID: lease.Envelope.ID, Results: lease.Recipients}
		for i := range s.Results {
			s.Results[i].Fate = mail.Relayed
		}
		s.Results[0].Fate, s.Results[0].Due = mail.Deferred, time.Now().Add(-time.Second)
		l.breaks(afterCommit, func() {
			taken, err := b.Lease(b.ctx, a.owner, spool.Want{Recipients: 1}) // as another goroutine of the node
			if err != nil || len(taken.Leases) != 1 {
				t.Errorf("%+v, %v", taken, err)
			}
		})
		_, err := a.Settle(a.ctx, a.owner, []spool.Settlement{s})
		return a, err
	}
	if a, err := again(t, []string{"bob@sina.example", "eve@sina.example"}); err != nil {
		t.Errorf("two recipients: %v", err)
	} else {
		whole(t, a.Spool)
	}
	if _, err := again(t, []string{"bob@sina.example"}); !errors.Is(err, spool.ErrInDoubt) {
		t.Errorf("one recipient: %v", err)
	}
}

// TestAnOrderBetweenASettlementAndItsQuestion: an operator's order comes after the line broke. Of
// what was not recorded the owner is told, and what was recorded stays so.
func TestAnOrderBetweenASettlementAndItsQuestion(t *testing.T) {
	for what, c := range map[string]struct {
		at      cut
		altered bool
	}{"recorded": {afterCommit, false}, "not recorded": {beforeCommit, true}} {
		t.Run(what, func(t *testing.T) {
			a, l, b := fragile(t)
			lease, id := a.accept(a.owner, "It rains.\r\n", "bob@sina.example", "eve@sina.example")
			s := a.bounced(lease)
			l.breaks(c.at, func() {
				_, err := b.Alter(b.ctx, spool.Query{Filter: spool.Filter{ID: id}}, spool.Order{Verb: spool.Remove, At: time.Now()}, nil)
				check(t, err)
			})
			settled, err := a.Settle(a.ctx, a.owner, []spool.Settlement{s})
			check(t, err)
			if got := errors.Is(settled[0].Err, spool.ErrAltered); got != c.altered || settled[0].Reports[0].Committed == c.altered {
				t.Errorf("%+v", settled[0])
			}
			if n := b.told(id, "settled"); n != 1 {
				t.Errorf("it is in the journal %d times", n)
			}
			for i := range s.Reports {
				s.Reports[i].Draft.Abort()
			}
			whole(t, a.Spool)
		})
	}
}

// TestASettlementThatWasNotAnsweredAndItsEpochIsOver is in doubt: others may have had its leases since.
func TestASettlementThatWasNotAnsweredAndItsEpochIsOver(t *testing.T) {
	for what, at := range map[string]cut{"recorded": afterCommit, "not recorded": beforeCommit} {
		t.Run(what, func(t *testing.T) {
			a, l, b := fragile(t)
			lease, _ := a.accept(a.owner, "It rains.\r\n", "bob@sina.example")
			l.breaks(at, func() {
				_, err := b.Pool().Exec(b.ctx, "UPDATE node SET until = clock_timestamp() WHERE name = 'node-1'")
				check(t, err)
			})
			if _, err := a.Settle(a.ctx, a.owner, []spool.Settlement{relayed(lease)}); !errors.Is(err, spool.ErrInDoubt) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestACommitThatWasNotAnswered is found, with its lease: so it need not come twice.
func TestACommitThatWasNotAnswered(t *testing.T) {
	a, l, b := fragile(t)
	l.breaks(afterInsert, nil)
	lease, id := a.accept(a.owner, "It rains.\r\n", "bob@sina.example")
	if !l.broke() {
		t.Fatal("the line did not break")
	}
	if lease == nil || lease.Envelope.ID != id {
		t.Fatalf("leased: %+v", lease)
	}
	if taken := b.take(); len(taken.Leases) != 0 || b.told(id, "arrived") != 1 {
		t.Errorf("%+v, %d times in the journal", taken, b.told(id, "arrived"))
	}
	check(t, a.settle(lease).Err)
	whole(t, a.Spool)
}
