package house

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// Account follows each message through each house, recipient by recipient, from the
// 250 to its fate, and complains as soon as something is not as promised:
//
//   - whom a client was told 250 of, a house answers for: the recipient is in its spool;
//   - who leaves a spool was taken by the next host, or is named in a report, or in an
//     operator's order; and stays away, unless a crash undid what was not durable yet;
//   - the next host gets what a house answers for, and gets it once. It gets a second copy only if the
//     road broke, or the house, between the final dot and the record of its reply; and
//     then the journal tells of it;
//   - a sender hears what RFC 3461 says, and no more.
//
// Which copy came of which is told by the Received fields. The account does not
// believe the houses: what the next host has, the next host says.
type Account struct {
	ledger *Ledger

	mu         sync.Mutex
	customs    map[custodyKey]*custody
	order      []*custody // by the time they began
	complaints []string
	stores     map[string]string         // by domain, the host where its mail ends
	breaks     map[[2]string][]time.Time // of roads, by who dialled and who answers
	nodes      map[string]string         // by node, the cluster
}

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

func newAccount(l *Ledger) *Account {
	return &Account{ledger: l, customs: map[custodyKey]*custody{}, breaks: map[[2]string][]time.Time{}, nodes: map[string]string{}}
}

// complain notes what is wrong. a.mu is held.
func (a *Account) complain(format string, args ...any) {
	if len(a.complaints) < 100 {
		a.complaints = append(a.complaints, time.Now().UTC().Format("02 15:04:05.000000000 ")+fmt.Sprintf(format, args...))
	}
}

// wrong notes what is wrong.
func (a *Account) wrong(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.complain(format, args...)
}

// belongs takes that a host is a node of a cluster.
func (a *Account) belongs(node, cluster string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nodes[node] = cluster
}

// excuse takes that a node of a cluster had a recipient when its epoch ended, and may have
// sent him the message.
func (a *Account) excuse(cluster string, ref spool.Ref) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.customs[custodyKey{cluster, ref.ID.String()}]; c != nil {
		c.to[ref.Recipient].excuses++
	}
}

// Complaints are what was wrong so far, in the order in which it was found.
func (a *Account) Complaints() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.complaints)
}

// hear takes an event of a house.
func (a *Account) hear(h *House, e event.Entry) {
	if _, refused := e.Event.(*event.Refused); refused {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if accepted, is := e.Event.(*event.Accepted); is {
		a.accepted(h, e, accepted)
		return
	}
	c := a.customs[custodyKey{h.Name, e.ID.String()}]
	if c == nil {
		a.complain("%s tells of %s, which it never accepted: %s", h.Name, e.ID, e.Line())
		return
	}
	switch t := e.Event.(type) {
	case *event.Attempt:
		a.outcome(c, e.At, t)
	case *event.Decided:
		a.outcome(c, e.At, (*event.Attempt)(t))
	case *event.SecondCopy:
		c.to[t.Recipient].doubts++
	case *event.Reported:
		a.reported(c, t)
	case *event.Ordered:
		if t.Order == spool.Remove.String() {
			c.to[t.Recipient].fate, c.to[t.Recipient].at = mail.Removed, e.At
		}
	}
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

// inSpool holds that the recipients of a message that are open are in the spool, and
// nobody else.
func (a *Account) inSpool(c *custody, id mail.ID) {
	there, err := c.house.standings(id, len(c.to))
	if err != nil {
		return // it has failed, and takes no more
	}
	for i := range c.to {
		if open := c.to[i].open(); open && !there[i] && !c.to[i].expanded {
			a.complain("%s answers for %s to %s, who is not in its spool", c.host, c.id, c.to[i].address)
		} else if !open && there[i] {
			a.complain("%s has %s to %s in its spool, though that is %s", c.host, c.id, c.to[i].address, c.to[i].fate)
		}
	}
}

func (c *charge) open() bool { return !c.fate.Final() }

// outcome takes what became of a recipient.
func (a *Account) outcome(c *custody, at time.Time, t *event.Attempt) {
	o := &t.Outcome
	ch := &c.to[o.Recipient]
	if !ch.open() {
		a.complain("%s tells of %s to %s that it is %s, and it was %s", c.host, c.id, ch.address, o.Fate, ch.fate)
	}
	ch.fate, ch.at, ch.sure = o.Fate, at, o.Forwarded
	if o.Unsure {
		ch.unsure++
	}
	switch o.Fate {
	case mail.Delivered, mail.Relayed:
		if len(ch.handed) == 0 {
			a.complain("%s says that %s to %s is %s, and nobody has it", c.host, c.id, ch.address, o.Fate)
		}
	case mail.Failed, mail.Expired:
		if len(ch.handed) > 0 && ch.unsure+ch.excuses == 0 && len(ch.crashes) == 0 {
			a.complain("%s says that %s to %s has %s, and %s has it", c.host, c.id, ch.address, o.Fate, ch.handed[0].to)
		}
	}
	if got, want := t.Owed, owes(a.ledger.wish(c.key, ch.address), c.from, o); o.Fate.Final() && got != want {
		a.complain("%s owes %q for %s to %s that is %s, and RFC 3461 says %q", c.host, got, c.id, ch.address, o.Fate, want)
	}
	a.inSpoolNow(c, o.Recipient)
}

// inSpoolNow holds one recipient against the spool.
func (a *Account) inSpoolNow(c *custody, i int) {
	id, err := mail.ParseID(c.id)
	if err != nil {
		a.complain("%s: %v", c.host, err)
	}
	there, err := c.house.standings(id, len(c.to))
	if open := c.to[i].open(); err == nil && open != there[i] {
		a.complain("%s has %s to %s in its spool: %v; its fate is %q", c.host, c.id, c.to[i].address, there[i], c.to[i].fate)
	}
}

// owes is what RFC 3461, 5.2 has a sender told of a fate, delays aside.
func owes(wish smtp.Notify, from string, o *mail.Outcome) mail.Action {
	asked := func(n smtp.Notify) bool { return from != "" && wish&smtp.NotifyNever == 0 && wish&n != 0 }
	if wish == 0 {
		wish = smtp.NotifyFailure
	}
	switch {
	case (o.Fate == mail.Failed || o.Fate == mail.Expired) && asked(smtp.NotifyFailure):
		return mail.ReportFailed
	case o.Fate == mail.Relayed && !o.Forwarded && asked(smtp.NotifySuccess):
		return mail.ReportRelayed
	case o.Fate == mail.Delivered && asked(smtp.NotifySuccess):
		return mail.ReportDelivered
	}
	return 0
}

// reported takes that a report was written.
func (a *Account) reported(c *custody, t *event.Reported) {
	if t.Report.IsZero() {
		return
	}
	if to := t.To.String(); c.from != "" && to != c.from && to != "postmaster@peer0.test" {
		a.complain("%s reports about %s to %s, and it came from %s", c.host, c.id, to, c.from)
	}
	for _, i := range t.Recipients {
		ch := &c.to[i]
		action := a.owed(c, ch)
		switch {
		case c.from == "":
			action = mail.ReportFailed // to the postmaster, of a report
		case ch.open():
			action = mail.ReportDelayed
		}
		ch.reports[action]++
	}
}

// owed is what the sender is to hear of a recipient, now that its fate is known.
func (a *Account) owed(c *custody, ch *charge) mail.Action {
	return owes(a.ledger.wish(c.key, ch.address), c.from, &mail.Outcome{Fate: ch.fate, Forwarded: ch.sure})
}

// taken takes that a host has a copy of what another has in custody.
func (a *Account) taken(parent custodyKey, address, host string, at time.Time) {
	c := a.customs[parent]
	if c == nil {
		a.complain("%s got %s of %s, which that never accepted", host, parent.id, parent.host)
		return
	}
	i := slices.IndexFunc(c.to, func(ch charge) bool { return strings.EqualFold(ch.address, address) })
	if i < 0 {
		a.complain("%s got %s of %s for %s, for whom it was not", host, c.id, c.host, address)
		return
	}
	ch := &c.to[i]
	if !ch.open() && ch.excuses == 0 {
		a.complain("%s got %s of %s for %s, which was %s", host, c.id, c.host, address, ch.fate)
	}
	if n := len(ch.handed); n > 0 && !a.excused(c, ch) {
		a.complain("%s got %s of %s for %s once more, and nothing happened after %s had it at %s",
			host, c.id, c.host, address, ch.handed[n-1].to, ch.handed[n-1].at.UTC().Format("15:04:05.000"))
	}
	ch.handed = append(ch.handed, handing{at: at, to: host})
}

// lagging is how long after a host took a message the record of it may be lost in a
// crash: the way back, and as long as a spool may lag.
const lagging = spool.Lag + 30*time.Millisecond

// lags is that of the house that has a message. A base may take seconds.
func (c *custody) lags() time.Duration {
	if c.house.node != "" {
		return lagging + 10*time.Second
	}
	return lagging
}

// slowest is how long a host may think about a text before it takes it.
const slowest = 5 * time.Second

// excused: of the copies that were taken so far, whoever sent them may not know.
func (a *Account) excused(c *custody, ch *charge) bool {
	known := 0
	for _, h := range ch.handed {
		if !slices.ContainsFunc(ch.crashes, func(crash time.Time) bool { return a.forgot(c, h, crash) }) {
			known++
		}
	}
	return known <= ch.unsure+ch.excuses
}

// forgot: a crash came before a house could record that a copy was taken.
func (a *Account) forgot(c *custody, h handing, crash time.Time) bool {
	if crash.Before(h.at) {
		return h.at.Sub(crash) <= slowest // the text was there, and the host thought about it
	}
	if crash.Sub(h.at) <= c.lags() {
		return true
	}
	broke := func(t time.Time) bool { return !t.Before(h.at.Add(-lagging)) && !t.After(crash) }
	return slices.ContainsFunc(a.breaks[[2]string{c.host, h.to}], broke) || slices.ContainsFunc(a.breaks[[2]string{"", h.to}], broke)
}

// broke takes that a road broke, from who dialled ("": from all).
func (a *Account) broke(from, to string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := [2]string{cmp.Or(a.nodes[from], from), cmp.Or(a.nodes[to], to)}
	a.breaks[k] = append(a.breaks[k], time.Now())
}

// took takes that a peer has a message.
func (a *Account) took(t Taken) {
	a.mu.Lock()
	defer a.mu.Unlock()
	host, domain := strings.TrimPrefix(t.By, "mx."), t.To[strings.LastIndexByte(t.To, '@')+1:]
	if host != domain && host != a.stores[domain] {
		a.complain("%s got mail for %s, which has another host", host, t.To)
	}
	if trace := traces(t.Text); len(trace) > 0 {
		a.taken(trace[0], t.To, host, t.At)
	}
}

// promised takes that a client was told 250 by a house, with the ID.
func (a *Account) promised(host, id, key string, to []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.customs[custodyKey{host, id}]
	if c == nil {
		a.complain("%s said 250 to letter %s, and knows nothing of %s", host, key, id)
		return
	}
	for _, t := range to {
		if !slices.ContainsFunc(c.to, func(ch charge) bool { return ch.original == t || ch.address == t }) {
			a.complain("%s said 250 to letter %s for %s, who is not in %s", host, key, t, id)
		}
	}
}

// crashed holds what a crash has left of a spool against what was promised.
func (a *Account) crashed(h *House, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	there := map[spool.Ref]bool{}
	for _, it := range h.items() {
		there[it.Ref()] = true
		a.adopt(h, &it, at)
	}
	for _, c := range a.order {
		if c.house != h {
			continue
		}
		id, _ := mail.ParseID(c.id) // it was one before
		for i := range c.to {
			a.survived(c, i, there[spool.Ref{ID: id, Recipient: i}], at)
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

// survived holds one recipient against what a crash has left.
func (a *Account) survived(c *custody, i int, there bool, at time.Time) {
	ch := &c.to[i]
	switch {
	case ch.open() && !there && c.doubted:
		ch.fate = mail.Removed // what was adopted may go with the next crash: nobody was told 250
	case ch.open() && !there && !a.recall(c, i):
		a.complain("%s has lost %s to %s in a crash", c.host, c.id, ch.address)
		ch.fate = mail.Removed
	case !ch.open() && there:
		lazy := ch.fate == mail.Relayed || ch.fate == mail.Delivered
		if !lazy || at.Sub(ch.at) > c.lags() {
			a.complain("%s has %s to %s again after a crash, which was %s %v before", c.host, c.id, ch.address, ch.fate, at.Sub(ch.at))
		}
		ch.fate = 0
	}
	if there {
		ch.crashes = append(ch.crashes, at)
	}
}

// recall takes from the journal what a house could not tell any more: the fate of a
// recipient who is not in its spool.
func (a *Account) recall(c *custody, i int) bool {
	for _, e := range c.house.journal(c.id) {
		switch t := e.Event.(type) {
		case *event.Attempt:
			if t.Outcome.Recipient == i && t.Outcome.Fate.Final() {
				a.outcome(c, e.At, t)
			}
		case *event.Decided:
			if t.Outcome.Recipient == i && t.Outcome.Fate.Final() {
				a.outcome(c, e.At, (*event.Attempt)(t))
			}
		case *event.Ordered:
			if t.Recipient == i && t.Order == spool.Remove.String() {
				c.to[i].fate, c.to[i].at = mail.Removed, e.At
			}
		case *event.Reported:
			if slices.Contains(t.Recipients, i) && !c.to[i].open() {
				alone := *t
				alone.Recipients = []int{i}
				a.reported(c, &alone)
			}
		}
	}
	return !c.to[i].open()
}

// Audit holds all spools against the account, whole. Nothing may be under way: call
// it after synctest.Wait.
func (a *Account) Audit(houses ...*House) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range houses {
		if damaged, err := h.Engine().Damaged(context.Background(), mail.ID{}, 1); err == nil && len(damaged) > 0 {
			a.complain("%s takes %s for damaged: %s", h.Name, damaged[0].ID, damaged[0].What)
		}
		there := map[spool.Ref]bool{}
		for _, it := range h.items() {
			there[it.Ref()] = true
			if a.customs[custodyKey{h.Name, it.Envelope.ID.String()}] == nil {
				a.complain("%s has %s in its spool, which it never accepted", h.Name, it.Envelope.ID)
			}
		}
		for _, c := range a.order {
			if c.house == h {
				a.audit(c, there)
			}
		}
	}
	a.order = slices.DeleteFunc(a.order, (*custody).settled)
}

func (a *Account) audit(c *custody, there map[spool.Ref]bool) {
	id, _ := mail.ParseID(c.id) // it was one before
	for i := range c.to {
		if open := c.to[i].open(); open != there[spool.Ref{ID: id, Recipient: i}] {
			a.complain("audit: %s has %s to %s in its spool: %v; its fate is %q", c.host, c.id, c.to[i].address, !open, c.to[i].fate)
		}
	}
}

// settled: all its fates are known, and so old that no crash undoes them.
func (c *custody) settled() bool {
	return !slices.ContainsFunc(c.to, func(ch charge) bool { return ch.open() || time.Since(ch.at) < time.Minute })
}

// Close holds what can be told only when all is over: nobody waits, the journal has
// every second copy, and everybody was told what was owed.
func (a *Account) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	told := map[string]int{} // reports by what they tell
	for _, c := range a.customs {
		for _, line := range c.about {
			if c.report {
				told[c.host+" "+line]++
			}
		}
	}
	for _, c := range a.customs {
		for i := range c.to {
			a.close(c, &c.to[i])
			for action, n := range c.to[i].reports {
				told[c.host+" "+action.String()+" "+c.to[i].address] -= n
			}
		}
	}
	for what, n := range told {
		if n != 0 {
			a.complain("reports: %s: %d more than the journal tells of", what, n)
		}
	}
	slices.Sort(a.complaints)
}

func (a *Account) close(c *custody, ch *charge) {
	if ch.open() {
		a.complain("%s still has %s to %s", c.host, c.id, ch.address)
	}
	if len(ch.handed) > 1 && ch.doubts == 0 {
		a.complain("%s sent %s to %s %d times, and its journal does not know", c.host, c.id, ch.address, len(ch.handed))
	}
	want := a.owed(c, ch)
	for _, action := range []mail.Action{mail.ReportFailed, mail.ReportRelayed, mail.ReportDelivered} {
		n := ch.reports[action]
		if double := c.from == "" && action == mail.ReportFailed; double && n <= 1 {
			continue // a report that could not be delivered goes to the postmaster
		}
		if owed := action == want; owed != (n == 1) || n > 1 {
			a.complain("%s told %d times that %s to %s is %s; its fate is %s", c.host, n, c.id, ch.address, action, ch.fate)
		}
	}
	wish := a.ledger.wish(c.key, ch.address)
	if n := ch.reports[mail.ReportDelayed]; n > 1 || n == 1 && (wish != 0 && wish&smtp.NotifyDelay == 0 || c.from == "") {
		a.complain("%s told %d times that %s to %s is delayed", c.host, n, c.id, ch.address)
	}
}

// Copies are how many second copies there were, all of them excused.
func (a *Account) Copies() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.customs {
		for i := range c.to {
			n += max(0, len(c.to[i].handed)-1)
		}
	}
	return n
}

// Accepted is how many messages the houses have taken in, and for how many recipients.
func (a *Account) Accepted() (messages, recipients int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.customs {
		recipients += len(c.to)
	}
	return len(a.customs), recipients
}

// traces are the hosts that took a message, the last one first, with the IDs that
// they gave it.
func traces(text string) (all []custodyKey) {
	header, _, _ := strings.Cut(text, "\r\n\r\n")
	header = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(header)
	for l := range strings.SplitSeq(header, "\r\n") {
		rest, is := strings.CutPrefix(l, "Received: ")
		if !is {
			continue
		}
		words := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == ';' })
		var k custodyKey
		for i := range len(words) - 1 {
			switch words[i] {
			case "by":
				k.host = strings.TrimPrefix(words[i+1], "mx.")
			case "id":
				k.id = words[i+1]
			}
		}
		all = append(all, k)
	}
	return all
}

// tellings are what a report tells, a line each: "failed bob@sina.test".
func tellings(text string) (all []string) {
	to := ""
	text, _, _ = strings.Cut(text, "\r\nContent-Type: message/rfc822") // it may be about a report
	for l := range strings.SplitSeq(text, "\r\n") {
		if rest, is := strings.CutPrefix(l, "Final-Recipient: "); is {
			_, to, _ = strings.Cut(rest, ";")
			to = strings.TrimSpace(to)
		}
		if action, is := strings.CutPrefix(l, "Action: "); is && to != "" {
			all = append(all, action+" "+to)
			to = ""
		}
	}
	return all
}

// head is the first part of a message's text.
func (h *House) head(id mail.ID) string {
	c, err := h.Engine().Open(context.Background(), id)
	if err != nil {
		return ""
	}
	r, err := c.Open()
	if err != nil {
		return ""
	}
	defer r.Close()
	var b strings.Builder
	_, _ = io.CopyN(&b, r, 4000) // it may be shorter
	return b.String()
}

// standings says which recipients of a message are in the spool.
func (h *House) standings(id mail.ID, recipients int) ([]bool, error) {
	page, err := h.Engine().List(context.Background(), spool.Query{After: spool.Cursor{ID: id, Recipient: -1}, Limit: recipients})
	there := make([]bool, recipients)
	for i := range page.Items {
		if it := &page.Items[i]; it.Envelope.ID == id {
			there[it.Standing.Recipient] = true
		}
	}
	return there, err
}

// journal is what the journal tells of a message.
func (h *House) journal(id string) (all []event.Entry) {
	parsed, _ := mail.ParseID(id) // it was one before
	page, err := h.Engine().Facts(context.Background(), spool.FactQuery{ID: parsed})
	if err != nil {
		h.world.Fatal(err)
	}
	for _, f := range page.Facts {
		if e, err := event.Parse(f.Data); err == nil {
			all = append(all, event.Entry{ID: f.ID, At: f.At, Seq: f.Seq, Event: e})
		}
	}
	return all
}

// items are all that is in the spool.
func (h *House) items() (all []spool.Item) {
	q := spool.Query{}
	for {
		page, err := h.Engine().List(context.Background(), q)
		if err != nil {
			h.world.Fatal(err)
		}
		all = append(all, page.Items...)
		if !page.More {
			return all
		}
		q.After = page.Next
	}
}
