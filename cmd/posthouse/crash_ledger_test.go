package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// ledger knows of each message what was sent, what was promised, and what came of it.
type ledger struct {
	t    *testing.T
	life atomic.Int64 // of the house

	mu      sync.Mutex
	letters map[string]*letter   // by name
	reports map[string]*reported // by message ID
	deaths  map[int]time.Time    // lives that were killed
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, letters: map[string]*letter{}, reports: map[string]*reported{}, deaths: map[int]time.Time{}}
}

// letter is one message. Its name stands in its Message-ID and its ENVID.
type letter struct {
	name     string
	to       []addressee
	at, size int // of its body in loremOfCrash
}

type addressee struct {
	path     smtp.Path
	promised bool
	copies   []copied
	reports  []string // message IDs
}

// copied is a copy that arrived somewhere.
type copied struct {
	life int // of the house that sent it
	at   time.Time
	sure bool // the house was told 250, if it was still there
}

func (c copied) String() string {
	return fmt.Sprintf("in life %d at %s (answered: %v)", c.life, c.at.Format("05.000"), c.sure)
}

// reported is a report that arrived in the sender's mailbox.
type reported struct {
	of     string // name of the letter
	copies []copied
}

var sender = mailbox("sender@here.example")

func mailbox(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // it is a constant
	}
	return p
}

// addressees are who gets mail in this world: by Maildir; by a host that takes
// everything, one that refuses everything for good, and one that is often away.
var addressees = []smtp.Path{
	mailbox("li@here.example"), mailbox("wang@here.example"),
	mailbox("li@sink.example"), mailbox("wang@sink.example"), mailbox("zhao@sink.example"),
	mailbox("nobody@sink.example"), mailbox("li@strict.example"), mailbox("li@away.example"),
}

// unwelcome: nobody takes mail for it, so that its sender is told.
func unwelcome(p smtp.Path) bool { return p.Local() == "nobody" || p.Domain() == "strict.example" }

// loremOfCrash is lines of 64 octets, some with a dot at their start.
var loremOfCrash = func() []byte {
	chance := rand.New(rand.NewPCG(4, 4))
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz .,-:;"[chance.IntN(32)]
	}
	for i := 0; i < len(b); i += 64 {
		if chance.IntN(8) == 0 {
			b[i] = '.'
		}
		copy(b[i+62:], "\r\n")
	}
	return b
}()

// write makes a letter. Most are small; some are kept in files of their own.
func (l *ledger) write(how string, chance *rand.Rand) *letter {
	lines := 1 + chance.IntN(60)
	if chance.IntN(6) == 0 {
		lines = 200 + chance.IntN(2000)
	}
	lt := &letter{size: 64 * lines, at: 64 * chance.IntN(len(loremOfCrash)/64-lines)}
	for _, i := range chance.Perm(len(addressees))[:1+chance.IntN(3)] {
		lt.to = append(lt.to, addressee{path: addressees[i]})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lt.name = fmt.Sprintf("%s-%d-%d", how, l.life.Load(), len(l.letters))
	l.letters[lt.name] = lt
	return lt
}

// text is the letter as it is sent.
func (lt *letter) text() []byte {
	head := "Message-ID: <" + lt.name + "@crash.example>\r\nFrom: sender@here.example\r\nSubject: " + lt.name + "\r\n\r\n"
	return append([]byte(head), loremOfCrash[lt.at:lt.at+lt.size]...)
}

// promise notes that a recipient was answered 250.
func (l *ledger) promise(lt *letter, recipient int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lt.to[recipient].promised = true
}

func (l *ledger) promisedSoFar() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lt := range l.letters {
		for i := range lt.to {
			if lt.to[i].promised {
				n++
			}
		}
	}
	return n
}

// owed counts the recipients that were promised a message of which nothing is known yet.
func (l *ledger) owed() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lt := range l.letters {
		for i := range lt.to {
			if to := &lt.to[i]; to.promised && len(to.copies)+len(to.reports) == 0 {
				n++
			}
		}
	}
	return n
}

func (l *ledger) died(life int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaths[life] = at
}

// arrived holds a copy against what was sent, and notes it.
func (l *ledger) arrived(at string, text []byte, one copied) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lt := l.letters[nameIn(text)]
	if lt == nil {
		l.t.Errorf("%s got a message that nobody has sent: %.200q", at, text)
		return
	}
	head, whole := bytes.CutSuffix(text, lt.text())
	if !whole || !onlyTrace(head) {
		l.t.Errorf("%s got %s, and not as it was sent: %d octets with the trace, of %d without", at, lt.name, len(text), len(lt.text()))
	}
	to := lt.find(at)
	if to == nil || unwelcome(to.path) {
		l.t.Errorf("%s got %s, which was not for it", at, lt.name)
		return
	}
	to.copies = append(to.copies, one)
}

func (lt *letter) find(at string) *addressee {
	i := slices.IndexFunc(lt.to, func(a addressee) bool { return a.path.String() == at })
	if i < 0 {
		return nil
	}
	return &lt.to[i]
}

// nameIn finds the name of a letter in a text.
func nameIn(text []byte) string { return nameOfID(messageID(text)) }

func nameOfID(id string) string { return strings.TrimSuffix(strings.Trim(id, "<>"), "@crash.example") }

func messageID(text []byte) string {
	fields := message.NewHeaderReader(bytes.NewReader(text), message.HeaderLimits{})
	for {
		f, err := fields.Next()
		if err != nil {
			return ""
		}
		if strings.EqualFold(f.Name(), "Message-ID") {
			return strings.TrimSpace(f.Text())
		}
	}
}

// onlyTrace reports whether a header has no other fields than those that hosts add.
func onlyTrace(head []byte) bool {
	for line := range bytes.Lines(head) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch string(name) {
		case "Return-Path", "Delivered-To", "Received":
		default:
			if line[0] != ' ' && line[0] != '\t' {
				return false
			}
		}
	}
	return true
}

// report notes a delivery report that has arrived.
func (l *ledger) report(text []byte, one copied) {
	r, err := dsn.Read(bytes.NewReader(text))
	if err != nil {
		l.t.Errorf("the sender got what is no report: %v: %.200q", err, text)
		return
	}
	id := messageID(text)
	l.mu.Lock()
	defer l.mu.Unlock()
	lt := l.letters[r.EnvID]
	if lt == nil {
		l.t.Errorf("a report tells of %q, which nobody has sent", r.EnvID)
		return
	}
	was := l.reports[id]
	if was == nil {
		was = &reported{of: lt.name}
		l.reports[id] = was
		for _, to := range toldOf(r) {
			lt.told(l.t, to, id)
		}
	}
	was.copies = append(was.copies, one)
}

// toldOf are the recipients of whom a report says that they were given up.
func toldOf(r *dsn.Report) (all []string) {
	for _, to := range r.Recipients {
		if to.Action == mail.ReportFailed {
			all = append(all, to.Final.Addr)
		}
	}
	return all
}

func (lt *letter) told(t *testing.T, at, report string) {
	to := lt.find(at)
	if to == nil || !unwelcome(to.path) {
		t.Errorf("a report says that %s was given up for %s", lt.name, at)
		return
	}
	to.reports = append(to.reports, report)
}
