package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// TestNodesCountTogether: who comes to two nodes in turn may come as often as to one, but for the little
// that nobody is told.
func TestNodesCountTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 40
		s := memspool.New(memspool.Options{})
		tables := []*Table{NewTable(0), NewTable(0)}
		marks := make([]time.Time, 2)
		taken := 0
		for i := range 200 {
			table := tables[i%2]
			c := New(Options{Address: Rates{Messages: Rate{Count: most, Per: time.Hour}}, Table: table})
			if c.Open(visit("192.0.2.7")).Mail(t.Context(), visit("192.0.2.7")).Action == policy.Pass {
				taken++
			}
			counts, mark, err := s.Count(t.Context(), "visits", table.Unsaid(), marks[i%2])
			if err != nil {
				t.Fatal(err)
			}
			table.Hear(counts, time.Now())
			marks[i%2] = mark
		}
		if taken < most || taken > most*21/20+1 {
			t.Errorf("%d messages of %d were taken", taken, most)
		}
	})
}

// TestFewAreNotTold: who comes seldom is nobody else's business.
func TestFewAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(0)
		rate := Rate{Count: 100, Per: time.Hour}
		k := key{messages, around(visit("192.0.2.7").Source.Client.Addr(), 24, 48)}
		for i := range 10 {
			table.take(k, rate, time.Now())
			if told := table.Unsaid(); (len(told) > 0) != (i >= 4) {
				t.Errorf("after %d messages: %v", 1+i, told)
			} else if i == 4 && told[0] != (spool.Counted{Key: "messages 192.0.2.0/24", By: 5 * 36 * time.Second}) {
				t.Errorf("of five of them: %v", told)
			}
		}
		if got, ok := parseKey(k.String()); !ok || got != k {
			t.Errorf("%v reads as %v", k, got)
		}
		table.Hear([]spool.Count{{Key: "nonsense"}, {Key: "messages x"}}, time.Now())
	})
}
