package spool

import (
	"fmt"

	"github.com/posthouse/posthouse/internal/mail"
)

// Settlement is what came of some leased recipients of one message.
type Settlement struct {
	ID mail.ID

	// Results are the new standings of recipients that the owner holds. One with a
	// final Fate is done; any other waits until Due at Destination. Each recipient
	// stands here once.
	Results []Standing

	// Reports that are owed because of these results.
	Reports []Report

	// Facts for the journal; their ID is the message's.
	Facts []Fact
}

// Report is a delivery report as a complete draft, committed in the same batch
// as the results that it tells of.
type Report struct {
	Draft  Draft // of the same engine; ended by Settle if it is committed
	Commit Commit
	// Recipients of the settled message that it tells of, by index. The report is set aside with
	// any of them, and with it their results: what is recorded has been told.
	Recipients []int
}

// Settled is what Settle made of one settlement.
type Settled struct {
	// Err is nil, ErrLeaseLost (nothing of the settlement is recorded), ErrAltered
	// (see Altered and Aside) or ErrNotFound.
	Err error

	// Altered are the results that were set aside because an operator's order came
	// first, each with the standing that the order made; the fate Removed means that it is
	// gone, and its lease with it. The others are still leased: having been told, the
	// owner releases them or settles again. What was delivered or relayed is never set aside, and all
	// facts are recorded.
	Altered []Standing

	// Aside are the recipients whose results were set aside though no order came
	// first, because a report that tells of them was. They are where they were, and
	// still leased: the owner settles them again, with a report that tells of them alone.
	Aside []int

	// Reports has one entry for each report: its lease if one was asked for.
	Reports []Reported
}

// Reported is what became of one report of a settlement.
type Reported struct {
	Committed bool
	Lease     *Lease
}

// Durable reports whether Settle must not return before this is on stable
// storage: it carries a report or a last fate other than delivered or relayed.
func (s *Settlement) Durable() bool {
	for i := range s.Results {
		if f := s.Results[i].Fate; f.Final() && !carried(f) {
			return true
		}
	}
	return len(s.Reports) > 0
}

// Check reports what no engine can record.
func (s *Settlement) Check() error {
	seen := make(map[int]bool, len(s.Results))
	for i := range s.Results {
		r := &s.Results[i]
		if seen[r.Recipient] {
			return fmt.Errorf("settle %s: recipient %d twice", s.ID, r.Recipient)
		}
		seen[r.Recipient] = true
		if len(r.Destination) > MaxName {
			return fmt.Errorf("settle %s: destination of %d octets: %w", s.ID, len(r.Destination), ErrLimit)
		}
	}
	for i := range s.Reports {
		if err := s.Reports[i].Commit.Check(); err != nil {
			return fmt.Errorf("settle %s: report: %w", s.ID, err)
		}
	}
	return checkFacts(s.Facts)
}

// Check reports what no engine can commit.
func (c *Commit) Check() error {
	switch n := len(c.Envelope.To); {
	case n == 0:
		return fmt.Errorf("no recipient: %w", ErrLimit)
	case n > MaxRecipients:
		return fmt.Errorf("%d recipients: %w", n, ErrLimit)
	}
	if len(c.Prepend) > MaxPrepend {
		return fmt.Errorf("%d octets of prepended fields: %w", len(c.Prepend), ErrLimit)
	}
	return checkFacts(c.Facts)
}

// carried: another place has the mail now, whatever anybody orders.
func carried(f mail.Fate) bool { return f == mail.Delivered || f == mail.Relayed }
