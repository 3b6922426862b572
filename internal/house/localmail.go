package house

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/smtp"
)

// cottage is the house of a journey whose mail is that of one machine.
const cottage = `
hostname = "mx.a.test"
data     = "` + dataFolder + `"
postmaster = "postmaster@peer0.test"
retry    = "5m"
expire   = "1h"
listen "smtp" {
  address = "192.0.2.1:25"
  tls     = "off"
}
relay { networks = "198.51.100.0/24" }
domain "a.test" {
  deliver   = "boxes"
  mailboxes = ["ann", "bob"]
}
route "boxes" {
  maildir = "` + mailFolder + `/%{user}"
}
route "default" {
  remote = true
  tls    = "never"
}
`

// rules are the configuration of the house of a journey.
func (j Journey) rules() string {
	if j.Local {
		return cottage
	}
	return inn
}

// mailroom is that of the present life; nil: the house has none.
func (h *House) mailroom() *mailroom {
	if d, is := h.store.(*Disk); is && h.local {
		return &mailroom{Disk: d.Disk, world: h.world, name: h.Name}
	}
	return nil
}

// furnish makes what is there before the first life.
func (h *House) furnish() error {
	if room := h.mailroom(); room != nil {
		return room.furnish()
	}
	return nil
}

// localSteps are those of a machine: programs leave letters, clients bring others, and all
// end in Maildirs, but for what goes out.
func (j Journey) localSteps(w *Town, h *House, c *client) []func() {
	return []func(){
		c.once("mailbox", "ann@peer0.test", 300, smtp.NotifySuccess, "bob@a.test"),
		c.once("two mailboxes", "ann@peer0.test", 300, 0, "ann@a.test", "bob@a.test"),
		c.once("large", "ann@peer0.test", 100_000, 0, "bob@a.test"),
		func() { w.drop(h, "left for a mailbox", "bob@a.test") },
		func() { w.drop(h, "left for two", "ann@a.test", "user@peer0.test") },
		func() { time.Sleep(7 * time.Second) }, // until the house has looked
		func() { w.drop(h, "left late", "user@peer0.test") },
		func() { time.Sleep(10 * time.Minute) },
	}
}

// drop is a program that leaves a letter on the machine of a house, be that there or not.
func (w *Town) drop(h *House, key string, to ...string) {
	text := Letter(key, 300)
	w.Ledger.Send(text)
	l := &maildrop.Letter{From: path("ann@peer0.test"), Text: words(text)}
	for _, address := range to {
		l.To = append(l.To, smtp.Rcpt{To: path(address)})
		w.Ledger.Wish(key, address, 0)
	}
	room := h.mailroom()
	if _, err := maildrop.AddOn(drops{room}, dropFolder, l); err == nil {
		w.dropped = append(w.dropped, key)
		w.Ledger.Promise(key, to...)
	}
	time.Sleep(100 * time.Millisecond)
}

// words are a text in memory.
type words string

// Size implements [mail.Content].
func (t words) Size() int64 { return int64(len(t)) }

// Open implements [mail.Content].
func (t words) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(t))), nil }

// dropWhileAway leaves a letter while the house is dead. There may be no directory yet.
func (w *Town) dropWhileAway(h *House) {
	if err := h.furnish(); err != nil {
		w.Fatal(err)
	}
	if h.local {
		w.drop(h, "left while nobody is there", "bob@a.test")
	}
}

// emptyMailroom reads all Maildirs, as their owners do, and holds the drop directory to be
// empty: each letter was taken once, and once more only if the journal says so.
func (w *Town) emptyMailroom(h *House) {
	room := h.mailroom()
	if room == nil {
		return
	}
	for _, user := range w.names(room, mailFolder) {
		box := mailFolder + "/" + user + "/new/"
		for _, name := range w.names(room, box) {
			text, err := room.read(box + name)
			if err != nil {
				w.Errorf("%s%s: %v", box, name, err)
			}
			w.Ledger.Take(room.taken(text))
		}
	}
	for _, folder := range []string{"new", "taken", "waiting", "damaged"} {
		if left := w.names(room, dropFolder+"/"+folder); len(left) > 0 {
			w.Errorf("the drop directory still has %s/%s", folder, left)
		}
	}
	for _, key := range w.dropped {
		if once, copies := w.Account.dropTaken(key); once > 1 {
			w.Errorf("letter %q was taken from the drop directory %d times as if nobody had had it, and %d times as a possible copy", key, once, copies)
		}
	}
}

func (w *Town) names(room *mailroom, folder string) []string {
	names, err := room.List(folder)
	if err != nil {
		w.Error(err)
	}
	return names
}

// dropTaken is how often a letter was taken from a drop directory: as if for the first
// time, and as a possible second copy.
func (a *Account) dropTaken(key string) (once, copies int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.customs {
		if c.key != key {
			continue
		}
		if again := slices.ContainsFunc(c.house.journal(c.id), isSecondCopyOfDrop); again {
			copies++
		} else {
			once++
		}
	}
	return once, copies
}

func isSecondCopyOfDrop(e event.Entry) bool {
	t, is := e.Event.(*event.SecondCopy)
	return is && strings.Contains(t.Why, "drop directory")
}
