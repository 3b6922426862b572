package spool

import (
	"fmt"
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
)

// Judgement is what may be recorded of a settlement.
type Judgement struct {
	Err     error
	Results []Standing // to be recorded; their leases end
	Altered []Standing // set aside, as [Settled] has them; the lease of one that was removed ends
	Aside   []int      // set aside beside them, the same
	Reports []bool     // for each report: whether it is to be committed
}

// Judge says what may be recorded of a settlement whose recipients are all held by
// who settles. Ordered is the standing that an order made of a recipient while it was
// leased, if its owner was not told of it yet; else nil. Engines call it, so that they agree.
func (s *Settlement) Judge(ordered func(recipient int) *Standing) Judgement {
	aside := s.setAside(ordered)
	j := Judgement{Reports: make([]bool, len(s.Reports))}
	for i := range s.Reports {
		j.Reports[i] = !s.Reports[i].tellsOf(aside)
	}
	for _, r := range s.Results {
		now := ordered(r.Recipient)
		switch {
		case !aside[r.Recipient]:
			j.Results = append(j.Results, r)
		case now == nil:
			j.Aside = append(j.Aside, r.Recipient)
		default:
			j.Altered = append(j.Altered, *now)
		}
	}
	if aside != nil {
		j.Err = fmt.Errorf("settle %s: %w", s.ID, ErrAltered)
	}
	return j
}

// setAside finds the recipients whose results are not recorded: those that an
// order was given about, and whoever is told of by a report that tells of one of
// those. What another place has is recorded in any case. nil: there are none.
func (s *Settlement) setAside(ordered func(recipient int) *Standing) map[int]bool {
	var aside map[int]bool
	for i := range s.Results {
		r := &s.Results[i]
		if now := ordered(r.Recipient); now != nil && (!carried(r.Fate) || now.Fate == mail.Removed) {
			if aside == nil {
				aside = map[int]bool{}
			}
			aside[r.Recipient] = true
		}
	}
	if aside != nil {
		s.spread(aside)
	}
	return aside
}

// spread sets aside what the reports tell of that tell of what is set aside, until
// there is no more of it.
func (s *Settlement) spread(aside map[int]bool) {
	fates := make(map[int]mail.Fate, len(s.Results))
	for i := range s.Results {
		fates[s.Results[i].Recipient] = s.Results[i].Fate
	}
	for before := 0; before < len(aside); {
		before = len(aside)
		for i := range s.Reports {
			if !s.Reports[i].tellsOf(aside) {
				continue
			}
			for _, r := range s.Reports[i].Recipients {
				if fate, settled := fates[r]; settled && !carried(fate) {
					aside[r] = true
				}
			}
		}
	}
}

func (r *Report) tellsOf(recipients map[int]bool) bool {
	return slices.ContainsFunc(r.Recipients, func(i int) bool { return recipients[i] })
}
