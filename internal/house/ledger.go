package house

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Ledger is the account of all mail: what was promised to whom, and who got
// what. Its methods may be called by many goroutines at once.
type Ledger struct {
	mu      sync.Mutex
	letters map[string]*letter
	strays  []Taken
}

// letter is a message in the account.
type letter struct {
	text     string
	wishes   map[string]smtp.Notify
	promised map[string]bool // recipients for whom somebody has said 250
	copies   map[string]int  // by recipient it was sent to: that were taken
	wrong    []string
}

// Taken is a message that somebody has taken for one recipient.
type Taken struct {
	At       time.Time
	By       string // a peer's name, or a Maildir
	From, To string
	Text     string
}

// keyField begins a letter: what is above it was put there on the way.
const keyField = "X-Letter: "

// Letter is a text with a key of its own and at least so many octets.
func Letter(key string, size int) string {
	text := keyField + key + "\r\nSubject: letter " + key + "\r\n\r\n"
	const line = "It rains, and the road to Chang'an is long.\r\n..a line with dots\r\n"
	return text + strings.Repeat(line, 1+max(0, size-len(text))/len(line))
}

// Key is that of a text; "" if it is no letter, such as a report, though a report may
// have a letter's header in its text.
func Key[T string | []byte](text T) string {
	header, _, _ := strings.Cut(string(text), "\r\n\r\n")
	_, rest, found := strings.Cut("\n"+header, "\n"+keyField)
	if !found {
		return ""
	}
	key, _, _ := strings.Cut(rest, "\r\n")
	return key
}

// NewLedger makes an empty one.
func NewLedger() *Ledger { return &Ledger{letters: map[string]*letter{}} }

// Send notes that a letter is on its way to recipients, whatever will be said to it.
func (l *Ledger) Send(text string, to ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &letter{text: text, wishes: map[string]smtp.Notify{}, promised: map[string]bool{}, copies: map[string]int{}}
	for _, t := range to {
		x.copies[t] = 0
	}
	l.letters[Key(text)] = x
}

// Wish notes that a letter that was sent is for one more recipient, and which reports
// are to come of it. One who is forwarded is two: by both names.
func (l *Ledger) Wish(key, to string, wish smtp.Notify) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.letters[key]
	x.wishes[to] = wish
	x.copies[to] = 0
}

func (l *Ledger) wish(key, to string) smtp.Notify {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.letters[key]; x != nil {
		return x.wishes[to]
	}
	return 0
}

// Promise notes that somebody said 250 to a letter that was sent, for recipients.
func (l *Ledger) Promise(key string, to ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range to {
		l.letters[key].promised[t] = true
	}
}

// promised reports whether somebody has said 250 to a letter for a recipient.
func (l *Ledger) promised(key, to string) bool {
	x := l.letters[key] // Complaints holds the lock
	return x != nil && x.promised[to]
}

// Take notes a message that was taken. One without a key is kept as a stray.
func (l *Ledger) Take(t Taken) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.letters[Key(t.Text)]
	if x == nil {
		l.strays = append(l.strays, t)
		return
	}
	if _, meant := x.copies[t.To]; !meant {
		x.wrong = append(x.wrong, fmt.Sprintf("letter %s was not for %s, who got it at %s", Key(t.Text), t.To, t.By))
	}
	x.copies[t.To]++
	if at := strings.Index(t.Text, keyField); t.Text[at:] != x.text {
		x.wrong = append(x.wrong, fmt.Sprintf("letter %s came to %s at %s as %d other octets than were sent", Key(t.Text), t.To, t.By, len(t.Text)-at))
	}
}

// Copies is how many copies of a letter a recipient has.
func (l *Ledger) Copies(key, to string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.letters[key]
	if x == nil {
		return 0
	}
	return x.copies[to]
}

// Strays are what was taken and is no letter, or none that was sent, such as reports.
func (l *Ledger) Strays() []Taken {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.strays)
}

// Promised are the recipients for whom a letter was accepted, by key.
func (l *Ledger) Promised() map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][]string{}
	for key, x := range l.letters {
		for to := range x.promised {
			all[key] = append(all[key], to)
		}
		slices.Sort(all[key])
	}
	return all
}

// Complaints are what is wrong: a letter that came to somebody for whom it was not,
// or with other octets, or not as often as allowed says, who is told the key and the
// recipient and returns how many copies there may be, at least and at most.
func (l *Ledger) Complaints(allowed func(key, to string, promised bool) (least, most int)) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for key, x := range l.letters {
		all = append(all, x.wrong...)
		for to, n := range x.copies {
			if least, most := allowed(key, to, x.promised[to]); n < least || n > most {
				all = append(all, fmt.Sprintf("letter %s to %s: %d copies, and there may be %d to %d", key, to, n, least, most))
			}
		}
	}
	slices.Sort(all)
	return all
}
