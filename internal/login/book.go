package login

import (
	"net/netip"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// Budget is how many failures are allowed. A zero Rule in it stands for the default.
type Budget struct {
	Pair     Rule // of an account from a network; default: 10, and one in 6 minutes
	Known    Rule // the same, where it has logged in before; default: 50, and one a minute
	Network  Rule // of a network: an IPv4 address or an IPv6 /64; default: 30, and one in 2 minutes
	Wide     Rule // of an IPv6 /48; default: 100, and one in 36 seconds
	Stranger Rule // of an account from networks that it has not logged in from; default: 100, and one in 36 seconds
}

func (b *Budget) setDefaults() {
	for _, d := range []struct {
		rule *Rule
		or   Rule
	}{
		{&b.Pair, Rule{10, 6 * time.Minute}},
		{&b.Known, Rule{50, time.Minute}},
		{&b.Network, Rule{30, 2 * time.Minute}},
		{&b.Wide, Rule{100, 36 * time.Second}},
		{&b.Stranger, Rule{100, 36 * time.Second}},
	} {
		if *d.rule == (Rule{}) {
			*d.rule = d.or
		}
	}
}

// kept is how many keys each ledger holds at least: all of them together stay below
// some 20 MiB, whoever fails from wherever.
const kept = 10_000

// Book counts failures, and what accounts have sent. It outlives a change of the
// configuration; with a [spool.Counter] beside it also the process, and other nodes count with it: names too, if it
// and they are given the same secret by [Book.Veil]. It may be used by many goroutines. Make one with [NewBook].
type Book struct {
	mu                                    sync.Mutex
	pair, known, network, wide, strangers ledger
	messages, recipients                  ledger
	unsaid                                spool.Unsaid
	veil                                  []byte // the key that hides names
}

// NewBook makes an empty book.
func NewBook(b Budget) *Book {
	b.setDefaults()
	k := &Book{veil: ownVeil()}
	k.pair, k.known = newLedger("pair", b.Pair, &k.unsaid), newLedger("known", b.Known, &k.unsaid)
	k.network, k.wide = newLedger("network", b.Network, &k.unsaid), newLedger("wide", b.Wide, &k.unsaid)
	k.strangers = newLedger("stranger", b.Stranger, &k.unsaid)
	k.messages, k.recipients = newLedger("messages", Rule{}, &k.unsaid), newLedger("recipients", Rule{}, &k.unsaid)
	return k
}

// try is an account and from where somebody tries to log in to it.
type try struct {
	name   string
	client netip.Addr
	known  bool // it has logged in from there before
}

// NetworkOf is what counts as one client: an IPv4 address, or the /64 that an IPv6
// host usually has to itself.
func NetworkOf(a netip.Addr) netip.Prefix { return network(a, 64) }

func network(a netip.Addr, bits int) netip.Prefix {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits)
	return p
}

// sheet is a place in a ledger.
type sheet struct {
	*ledger
	key string
}

// sheets are where a try counts. The first is that of the account and network.
func (b *Book) sheets(t try) []sheet {
	near, name := network(t.client, 64).String(), b.veiled(t.name)
	pair := name + " " + near
	if t.known {
		return []sheet{{&b.known, pair}}
	}
	all := []sheet{{&b.pair, pair}, {&b.network, near}, {&b.strangers, name}}
	if t.client.Unmap().Is6() {
		all = append(all, sheet{&b.wide, network(t.client, 48).String()})
	}
	return all
}

// allows reports whether there are failures left for a try.
func (b *Book) allows(t try, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.has(t, now)
}

func (b *Book) has(t try, now time.Time) bool {
	for _, s := range b.sheets(t) {
		if !s.has(s.key, now) {
			return false
		}
	}
	return true
}

// take counts a try as a failure, before it is known to be one, so that many at a time
// are no more than one after the other. It is false, and nothing is counted, if there is no failure left.
func (b *Book) take(t try, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.has(t, now) {
		return false
	}
	for _, s := range b.sheets(t) {
		s.add(s.key, 1, now)
	}
	return true
}

// giveBack undoes take: the try was no failure.
func (b *Book) giveBack(t try, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sheets(t) {
		s.add(s.key, -1, now)
	}
}

// forgive undoes take, and forgets what failed for this account from there: it was
// the same person who mistyped.
func (b *Book) forgive(t try, now time.Time) {
	b.giveBack(t, now)
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.sheets(t)[0]
	own.clear(own.key, now)
}

// Allow sets how much each account may send from now on.
func (b *Book) Allow(messages, recipients Rule) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages.rule, b.recipients.rule = messages, recipients
}

// Message counts a message of an account. It is false, and nothing is counted, if it
// has sent enough.
func (b *Book) Message(name string, now time.Time) bool { return b.count(&b.messages, name, now) }

// Recipient counts a recipient of an account, as Message does.
func (b *Book) Recipient(name string, now time.Time) bool { return b.count(&b.recipients, name, now) }

func (b *Book) count(l *ledger, name string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !l.has(name, now) {
		return false
	}
	l.add(name, 1, now)
	return true
}

// Message counts a message of an account, as [Book.Message] does.
func (d *Door) Message(name string, now time.Time) bool { return d.opts.Book.Message(name, now) }

// Recipient counts a recipient of an account, as [Book.Recipient] does.
func (d *Door) Recipient(name string, now time.Time) bool { return d.opts.Book.Recipient(name, now) }
