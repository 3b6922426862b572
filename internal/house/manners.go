package house

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Manners is how a peer treats who brings mail. The zero value is a Postfix
// without a policy: it takes everything for everybody but "nobody".
type Manners struct {
	// Greylist refuses a sender and recipient from a client's network with 451 4.7.1 until
	// so long after the first try.
	Greylist time.Duration
	// PerMinute is how many transactions a client may begin in a minute; at the
	// next one it is told 421 4.7.0 and loses the connection. 0: any number.
	PerMinute int
	// Slow is how long the peer thinks before each answer.
	Slow time.Duration
	// Quota is how many messages a mailbox holds; a full one gets 452 4.2.2. Its
	// owner empties it Every so often. 0: any number.
	Quota int
	Every time.Duration // 0: a day
	// Lie is what the peer does other than it says.
	Lie Lie
}

// Lie is a way to lie.
type Lie int

// The lies.
const (
	Honest Lie = iota
	// KeepsAndDefers keeps each message at its first try and says 451: the copy that
	// comes of that is the peer's fault, and is not told to the ledger.
	KeepsAndDefers
	// RefusesLate accepts every recipient and refuses the text with 554.
	RefusesLate
	// NeverAnswers takes the text, forgets it, and says nothing any more.
	NeverAnswers
)

var (
	greylisted = smtp.Replyf(451, smtp.EnhancedCode{4, 7, 1}, "Greylisted, come back later")
	tooFast    = smtp.Replyf(421, smtp.EnhancedCode{4, 7, 0}, "Too many messages in a minute, closing")
	full       = smtp.Replyf(452, smtp.EnhancedCode{4, 2, 2}, "The mailbox is full")
	unknown    = smtp.Replyf(550, smtp.EnhancedCode{5, 1, 1}, "There is no such user here")
	later      = smtp.Replyf(451, smtp.EnhancedCode{4, 3, 0}, "Our queue is in trouble")
	unwanted   = smtp.Replyf(554, smtp.EnhancedCode{5, 7, 1}, "We do not like the text")
)

// memory is what a peer remembers of those who came.
type memory struct {
	mu     sync.Mutex
	first  map[string]time.Time   // of sender, recipient and network
	recent map[netip.Addr]*minute // by client
	boxes  map[string]*box        // by recipient
	lied   map[string]bool        // by sender and text
}

type minute struct {
	began time.Time
	n     int
}

type box struct {
	n       int
	emptied time.Time
}

func newMemory() *memory {
	return &memory{first: map[string]time.Time{}, recent: map[netip.Addr]*minute{}, boxes: map[string]*box{}, lied: map[string]bool{}}
}

// admit says whether a client may begin one more transaction.
func (m *memory) admit(client netip.Addr, perMinute int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.recent[client]
	if r == nil || time.Since(r.began) >= time.Minute {
		r = &minute{began: time.Now()}
		m.recent[client] = r
	}
	if r.n++; perMinute > 0 && r.n > perMinute {
		return tooFast
	}
	return nil
}

// judge says whether a recipient is to be had.
func (m *memory) judge(how *Manners, client netip.Addr, from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.HasPrefix(strings.ToLower(to), "nobody@") {
		return unknown
	}
	if how.Quota > 0 && m.held(how, to).n >= how.Quota {
		return full
	}
	if how.Greylist == 0 {
		return nil
	}
	network, err := client.Prefix(24)
	if client.Is6() {
		network, err = client.Prefix(64)
	}
	triplet := fmt.Sprint(network, err, " ", from, " ", to)
	if m.first[triplet].IsZero() {
		m.first[triplet] = time.Now()
	}
	if time.Since(m.first[triplet]) < how.Greylist {
		return greylisted
	}
	return nil
}

// held is a mailbox as it is now. m.mu is held.
func (m *memory) held(how *Manners, to string) *box {
	every := how.Every
	if every == 0 {
		every = 24 * time.Hour
	}
	b := m.boxes[to]
	if b == nil {
		b = &box{emptied: time.Now()}
		m.boxes[to] = b
	}
	if time.Since(b.emptied) >= every {
		*b = box{emptied: time.Now()}
	}
	return b
}

// keep puts a message into mailboxes.
func (m *memory) keep(how *Manners, to []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range to {
		m.held(how, t).n++
	}
}

// firstLie reports whether this is the first time for a message.
func (m *memory) firstLie(message string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := !m.lied[message]
	m.lied[message] = true
	return first
}
