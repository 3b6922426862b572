package login

import (
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// Rule is how much is allowed: Burst at once, and one more in each time of Each. The
// zero Rule is without limit.
type Rule struct {
	Burst int
	Each  time.Duration
}

// ledger counts by key. It holds the keys that were used last, at least keep of them
// and at most twice that: who is forgotten has a clean sheet. What changes in it is noted for others, under
// its name.
type ledger struct {
	rule       Rule
	keep       int
	young, old map[string]account

	name   string
	unsaid *spool.Unsaid
}

// account is how much was taken, as of an instant.
type account struct {
	taken float64
	at    time.Time
}

func newLedger(name string, rule Rule, unsaid *spool.Unsaid) ledger {
	return ledger{rule: rule, keep: kept, young: map[string]account{}, name: name + " ", unsaid: unsaid}
}

// taken is how much of a key's allowance is gone.
func (l *ledger) taken(key string, now time.Time) float64 {
	a, ok := l.young[key]
	if !ok {
		a = l.old[key]
	}
	if l.rule.Each <= 0 {
		return a.taken
	}
	return max(0, a.taken-float64(now.Sub(a.at))/float64(l.rule.Each))
}

// has reports whether something is left.
func (l *ledger) has(key string, now time.Time) bool {
	const rounding = 1e-9
	return l.rule == Rule{} || l.taken(key, now)+1 <= float64(l.rule.Burst)+rounding
}

// add takes n; a negative n gives back.
func (l *ledger) add(key string, n float64, now time.Time) {
	if l.rule == (Rule{}) {
		return
	}
	was := l.taken(key, now)
	is := max(0, was+n)
	l.set(key, is, now)
	if l.rule.Each > 0 && is != was {
		l.unsaid.Add(l.name+key, time.Duration((is-was)*float64(l.rule.Each)))
	}
}

// clear gives all back.
func (l *ledger) clear(key string, now time.Time) { l.add(key, -l.taken(key, now), now) }

// hear takes what stands under a key over all nodes, but for what was not told yet.
func (l *ledger) hear(key string, left time.Duration, now time.Time) {
	if l.rule.Each > 0 {
		left = max(0, left+l.unsaid.Of(l.name+key))
		l.set(key, float64(left)/float64(l.rule.Each), now)
	}
}

func (l *ledger) set(key string, taken float64, now time.Time) {
	if _, there := l.young[key]; !there && len(l.young) >= l.keep {
		l.old, l.young = l.young, map[string]account{}
	}
	l.young[key] = account{taken, now}
}
