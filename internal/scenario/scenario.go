package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// MaxRules is how many rules a scenario may have.
const MaxRules = 1000

// Scenario is rules that make sense. It does not change. The zero value is a server that
// behaves.
type Scenario struct {
	rules    []Rule
	compiled []compiled
}

// New makes a scenario. The error names the first rule that makes no sense.
func New(rules []Rule) (*Scenario, error) {
	if len(rules) > MaxRules {
		return nil, fmt.Errorf("a scenario has %d rules at most", MaxRules)
	}
	s := &Scenario{rules: rules}
	for i, r := range rules {
		c, err := r.compile()
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		s.compiled = append(s.compiled, c)
	}
	return s, nil
}

// Rules are the rules of the scenario.
func (s *Scenario) Rules() []Rule { return s.rules }

// Event is what happens on a connection.
type Event struct {
	Step   Step
	Client string // its address, without the port
	Login  string // who has logged in, or wants to
	From   string
	To     []string // at rcpt the one that is named now
}

// Verdict is what is to be done. The zero value is to go on as always.
type Verdict struct {
	Rule        int           // counted from 1; 0: none
	Delay       time.Duration // first of all
	Trickle     time.Duration // from now on; 0: as before
	Certificate Certificate
	Drop        bool        // cut the connection
	Reply       *smtp.Reply // else say this; a positive one goes on
}

// Play is a scenario that is under way. It has one owner.
type Play struct {
	scenario *Scenario
	met      map[met]*memory
}

// met names what a rule has met.
type met struct {
	rule int
	who  string
}

// memory is what is known of it.
type memory struct {
	tries int
	first time.Time // greylisting: the first try
	since time.Time // rate: the beginning of the span
	done  int       // rate: times in it
}

// maxMemory is how much a play remembers; past it, it forgets all and begins anew.
const maxMemory = 20_000

// Play begins a scenario; nil is one without rules.
func (s *Scenario) Play() *Play {
	if s == nil {
		s = new(Scenario)
	}
	return &Play{s, map[met]*memory{}}
}

// Scenario is what is played.
func (p *Play) Scenario() *Scenario { return p.scenario }

// At says what is to be done about an event at a time. Each rule that its conditions fit
// counts it as a try.
func (p *Play) At(now time.Time, e Event) Verdict {
	var decided Verdict
	for i := range p.scenario.compiled {
		r := &p.scenario.compiled[i]
		if !r.fits(&e) {
			continue
		}
		m := p.remember(i, &e)
		m.tries++
		if decided.Rule == 0 && r.turn(m.tries) && r.decide(now, m, &decided) {
			decided.Rule = i + 1
		}
	}
	return decided
}

func (p *Play) remember(rule int, e *Event) *memory {
	key := met{rule, strings.ToLower(strings.Join(append([]string{e.Client, e.Login, e.From}, e.To...), "\x00"))}
	if p.scenario.compiled[rule].most > 0 {
		key.who = e.Client // whatever it sends
	}
	m := p.met[key]
	if m == nil {
		if len(p.met) >= maxMemory {
			clear(p.met)
		}
		m = new(memory)
		p.met[key] = m
	}
	return m
}

// turn reports whether a try is one of those that are meant.
func (c *compiled) turn(n int) bool { return n >= c.first && (c.last == 0 || n <= c.last) }

// decide fills in what the rule wants, and reports whether that is anything.
func (c *compiled) decide(now time.Time, m *memory, v *Verdict) bool {
	reply := c.reply
	switch {
	case c.greylist > 0 && m.wait(now, c.greylist):
		reply = smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 7, 1}, "Greylisted, come back in %v", c.greylist)
	case c.most > 0 && m.over(now, c.most, c.per):
		reply = smtp.Replyf(smtp.CodeUnavailable, smtp.EnhancedCode{4, 7, 0}, "Too much at a time, come back later")
	case (c.greylist > 0 || c.most > 0) && reply == nil:
		return false
	case c.greylist > 0 || c.most > 0:
		reply = nil
	}
	v.Delay, v.Trickle, v.Certificate, v.Drop, v.Reply = c.delay, c.trickle, c.Certificate, c.Drop, reply
	return true
}

// wait reports whether it is too early for another try.
func (m *memory) wait(now time.Time, long time.Duration) bool {
	if m.first.IsZero() {
		m.first = now
	}
	return now.Sub(m.first) < long
}

// over reports whether a client does something too often.
func (m *memory) over(now time.Time, most int, per time.Duration) bool {
	if now.Sub(m.since) >= per {
		m.since, m.done = now, 0
	}
	m.done++
	return m.done > most
}

func (c *compiled) fits(e *Event) bool {
	if c.On != e.Step || !glob(c.From, e.From) || !glob(c.Login, e.Login) {
		return false
	}
	if c.To == "" {
		return true
	}
	for _, to := range e.To {
		if glob(c.To, to) {
			return true
		}
	}
	return false
}

// glob reports whether s fits a pattern in which "*" stands for anything. The empty
// pattern fits everything. Time is linear in len(s) for each star.
func glob(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	pieces := strings.Split(strings.ToLower(pattern), "*")
	s = strings.ToLower(s)
	if len(pieces) == 1 {
		return s == pieces[0]
	}
	s, ok := strings.CutPrefix(s, pieces[0])
	for _, piece := range pieces[1 : len(pieces)-1] {
		if !ok {
			return false
		}
		_, s, ok = strings.Cut(s, piece)
	}
	return ok && strings.HasSuffix(s, pieces[len(pieces)-1])
}
