package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// where names a recipient of a message, by Message-ID and mailbox.
type where struct{ message, to string }

// lookIntoTheQueue opens a copy of the spool, as the last death left it: it is
// whole, and who was promised a message and has not got it waits there.
func (c *crash) lookIntoTheQueue() {
	if _, err := os.Stat(filepath.Join(c.spool(), "pebble")); errors.Is(err, os.ErrNotExist) {
		return // killed before there was one
	}
	twin := filepath.Join(c.dir, "twin")
	if err := os.CopyFS(twin, os.DirFS(c.spool())); err != nil {
		c.t.Fatal(err)
	}
	checkSpool(c.t, twin)
	waiting := waitingIn(c.t, twin)
	if err := os.RemoveAll(twin); err != nil {
		c.t.Fatal(err)
	}
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	for _, lt := range c.ledger.letters {
		for i := range lt.to {
			to := &lt.to[i]
			at := where{lt.name, to.path.String()}
			if to.promised && len(to.copies) == 0 && len(to.reports) == 0 && !waiting[at] {
				c.t.Errorf("after life %d: %s for %s was answered 250, has not arrived and is not in the queue", c.life, lt.name, to.path)
			}
		}
	}
}

// waitingIn are the recipients that wait in a spool, and those of whom a report there tells.
func waitingIn(t *testing.T, dir string) map[where]bool {
	t.Helper()
	s := openOffline(t, dir)
	defer s.Close()
	ctx, found := context.Background(), map[where]bool{}
	for q := (spool.Query{}); ; {
		page, err := s.List(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Items {
			it := &page.Items[i]
			found[where{nameOfID(it.Envelope.MessageID), it.Envelope.To[it.Standing.Recipient].To.String()}] = true
			if it.Envelope.From.IsNull() {
				of, all := reportIn(t, s, it.Envelope.ID)
				for _, to := range all {
					found[where{of, to}] = true
				}
			}
		}
		if q.After = page.Next; !page.More {
			return found
		}
	}
}

// reportIn reads a report that waits: which letter it is about, and of whom it tells.
func reportIn(t *testing.T, s spool.Engine, id mail.ID) (of string, to []string) {
	t.Helper()
	content, err := s.Open(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	text, err := content.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	r, err := dsn.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return r.EnvID, toldOf(r)
}

func openOffline(t *testing.T, dir string) *pebblespool.Spool {
	t.Helper()
	s, err := pebblespool.Open(dir, pebblespool.Options{MinFree: -1, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// retryAll has everything tried at once: the houses that were away are remembered
// as that for a while.
func (c *crash) retryAll() {
	s := openOffline(c.t, c.spool())
	defer s.Close()
	order := spool.Order{Verb: spool.Retry, At: time.Now(), By: "the test"}
	for q := (spool.Query{}); ; {
		page, err := s.Alter(context.Background(), q, order, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		if q.After = page.Next; !page.More {
			return
		}
	}
}

// checkSpool checks a spool, and returns how many messages are in it.
func checkSpool(t *testing.T, dir string) (messages int64) {
	t.Helper()
	found, _, err := pebblespool.Check(context.Background(), dir, pebblespool.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found.Problems {
		t.Errorf("spool: %s %s", p.ID, p.What)
	}
	if found.Quarantined > 0 {
		t.Errorf("spool: %d messages in quarantine", found.Quarantined)
	}
	return found.Messages
}

// account says at the end what became of everything.
func (c *crash) account() {
	files, err := os.ReadDir(filepath.Join(c.spool(), "bodies"))
	if err != nil || len(files) > 0 {
		c.t.Errorf("nothing waits, and there are %d files of bodies, %v", len(files), err)
	}
	accepted, second := c.journal()
	l := c.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lt := range l.letters {
		for i := range lt.to {
			c.judge(lt, &lt.to[i], accepted, second)
		}
	}
	for id, r := range l.reports {
		c.tally.second += c.seconds("a report about "+r.of, r.copies, second[where{nameOfID(id), sender.String()}])
	}
}

// journal reads who was accepted, and how many possible second copies were told.
func (c *crash) journal() (accepted map[where]bool, second map[where]int) {
	s := openOffline(c.t, c.spool())
	defer s.Close()
	accepted, second = map[where]bool{}, map[where]int{}
	names := map[mail.ID]string{}
	for q := (spool.FactQuery{}); ; {
		page, err := s.Facts(context.Background(), q)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, f := range page.Facts {
			e, err := event.Parse(f.Data)
			if err != nil {
				c.t.Fatal(err)
			}
			switch e := e.(type) {
			case *event.Accepted:
				names[f.ID] = nameOfID(e.MessageID)
				for _, to := range e.To {
					accepted[where{names[f.ID], to.To.String()}] = true
				}
			case *event.SecondCopy:
				second[where{names[f.ID], e.To.String()}]++
			}
			q.After = f.Seq
		}
		if !page.More {
			return accepted, second
		}
	}
}

// judge says whether what was promised to a recipient was kept. Of what a client
// sent and never heard about, the journal knows whether it was taken in.
func (c *crash) judge(lt *letter, to *addressee, accepted map[where]bool, second map[where]int) {
	at := where{lt.name, to.path.String()}
	c.tally.copies += len(to.copies)
	if to.promised {
		c.tally.promised++
	}
	if len(to.reports) > 0 {
		c.tally.told++
	}
	switch ours := accepted[at]; {
	case to.promised && !ours:
		c.t.Errorf("%s for %s was answered 250, and the journal does not know it", lt.name, to.path)
	case !ours && len(to.copies)+len(to.reports) > 0:
		c.t.Errorf("%s for %s was never taken in, and something became of it", lt.name, to.path)
	case ours && unwelcome(to.path) && len(to.reports) != 1:
		c.t.Errorf("%s: %d reports say that %s does not take it; want 1", lt.name, len(to.reports), to.path)
	case ours && !unwelcome(to.path) && len(to.copies) == 0:
		c.t.Errorf("%s for %s is lost (answered 250: %v)", lt.name, to.path, to.promised)
	}
	c.tally.second += c.seconds(lt.name+" for "+to.path.String(), to.copies, second[at])
}

// seconds counts the copies beyond the first and holds each to promise P3: the copy
// before it was sent by a life that was killed, or the link was cut between the
// final dot and its reply; and the journal says so.
func (c *crash) seconds(what string, copies []copied, told int) int {
	if len(copies) == 0 {
		return 0
	}
	slices.SortFunc(copies, func(a, b copied) int { return cmp.Or(cmp.Compare(a.life, b.life), a.at.Compare(b.at)) })
	for i, next := range copies[1:] {
		before := copies[i]
		death, killed := c.ledger.deaths[before.life]
		switch {
		case before.sure && next.life == before.life:
			c.t.Errorf("%s came twice in life %d, and was answered at once: %v", what, next.life, copies)
		case before.sure && !killed:
			c.t.Errorf("%s came again in life %d, though life %d, which had sent it, ended cleanly", what, next.life, before.life)
		case before.sure:
			c.tally.latest = max(c.tally.latest, death.Sub(before.at))
		}
	}
	if len(copies) > 1 && told == 0 {
		c.t.Errorf("%s came %d times, and the journal tells of no second copy: %v", what, len(copies), copies)
	}
	return len(copies) - 1
}
