package house

import (
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

type custodyKey struct{ host, id string }

// custody is one message in one house.
type custody struct {
	custodyKey
	house   *House
	key     string // of the letter; "": it is none
	from    string
	began   time.Time
	to      []charge
	about   []string // of a report: "action recipient"
	report  bool
	doubted bool // nobody was told 250: the house died meanwhile
}

// charge is one recipient of a custody.
type charge struct {
	address  string
	original string
	fate     mail.Fate // 0: none yet
	at       time.Time // of the fate
	handed   []handing
	unsure   int         // cut behind the final dot
	excuses  int         // leases that ended otherwise than by their owner
	doubts   int         // possible second copies that the journal tells of
	crashes  []time.Time // of the house meanwhile
	sure     bool        // the next host takes responsibility for reports
	reports  map[mail.Action]int
	expanded bool
}

// handing is a copy that another host took.
type handing struct {
	at time.Time
	to string // the host
}

// accepted begins a custody.
func (a *Account) accepted(h *House, e event.Entry, t *event.Accepted) {
	k := custodyKey{h.Name, e.ID.String()}
	if c := a.customs[k]; c != nil {
		if !c.doubted {
			a.complain("%s accepts %s twice", h.Name, e.ID)
		}
		c.doubted = false
		return
	}
	c := &custody{custodyKey: k, house: h, from: t.From.String(), began: e.At, report: t.Source.Listener == mail.FromReport}
	for i := range t.To {
		ch := charge{address: t.To[i].To.String(), original: t.To[i].Original.String(), reports: map[mail.Action]int{}}
		if t.To[i].Original.IsNull() {
			ch.original = ch.address
		}
		c.to = append(c.to, ch)
	}
	a.begin(c, e.ID)
	a.inSpool(c, e.ID)
}

// begin puts a custody into the account, and into that of the host before.
func (a *Account) begin(c *custody, id mail.ID) {
	a.customs[c.custodyKey] = c
	a.order = append(a.order, c)
	head := c.house.head(id)
	c.key = Key(head)
	if c.report {
		c.about = tellings(head)
	}
	trace := traces(head)
	if len(trace) < 2 {
		return // it came from a client, or is a report
	}
	asked := map[string]bool{} // an address of ours may have become several
	for i := range c.to {
		if to := c.to[i].original; !asked[to] {
			asked[to] = true
			a.taken(trace[1], to, c.host, c.began)
		}
	}
}

// adopt takes a message that was on its way in when the house died: nobody was told
// 250, and it is there all the same.
func (a *Account) adopt(h *House, it *spool.Item, at time.Time) {
	k := custodyKey{h.Name, it.Envelope.ID.String()}
	if a.customs[k] != nil {
		return
	}
	e := it.Envelope
	c := &custody{custodyKey: k, house: h, from: e.From.String(), began: at, report: e.Source.Listener == mail.FromReport, doubted: true}
	for i := range e.To {
		c.to = append(c.to, charge{address: e.To[i].To.String(), original: e.To[i].Original.String(), reports: map[mail.Action]int{}, expanded: e.To[i].Expanded})
	}
	a.begin(c, e.ID)
}

func (c *charge) open() bool { return !c.fate.Final() }

// settled: all its fates are known, and so old that no crash undoes them.
func (c *custody) settled() bool {
	return !slices.ContainsFunc(c.to, func(ch charge) bool { return ch.open() || time.Since(ch.at) < time.Minute })
}

// lags is that of the house that has a message. A base may take seconds.
func (c *custody) lags() time.Duration {
	if c.house.node != "" {
		return lagging + 10*time.Second
	}
	return lagging
}

// lagging is how long after a host took a message the record of it may be lost in a
// crash: the way back, and as long as a spool may lag.
const lagging = spool.Lag + 30*time.Millisecond
