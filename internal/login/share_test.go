package login_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// node is a door of one of several nodes, with its book.
type node struct {
	*login.Door
	book *login.Book
	mark time.Time
}

// meet has a node tell what it has counted, and hear of the others.
func (n *node) meet(t *testing.T, c spool.Counter) {
	t.Helper()
	counts, mark, err := c.Count(t.Context(), "logins", n.book.Unsaid(), n.mark)
	if err != nil {
		t.Fatal(err)
	}
	n.mark = mark
	n.book.Hear(counts, time.Now())
}

// nodes are given the same secret.
func nodes(p *people, number int) (all []*node) {
	for range number {
		book := veiledBook("a secret of all nodes")
		all = append(all, &node{Door: login.New(login.Options{Accounts: p, Book: book}), book: book})
	}
	return all
}

func veiledBook(secret string) *login.Book {
	b := login.NewBook(login.Budget{})
	if err := b.Veil([]byte(secret)); err != nil {
		panic(err) // the key is short
	}
	return b
}

// TestGuessingAtThreeNodes has hardly more guesses than at one, for a day; and who logs in at
// one node is forgiven at all.
func TestGuessingAtThreeNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := memspool.New(memspool.Options{}), newPeople()
		three := nodes(p, 3)
		for i := range 24 * 60 {
			n := three[i%3]
			plain(t, n.Door, "192.0.2.1", "jane@example.org", "guess")
			n.meet(t, s)
			time.Sleep(time.Minute)
		}
		const most = 10 + 240
		if p.asked > most+3 || p.asked < most*9/10 {
			t.Errorf("%d passwords were looked at, want %d", p.asked, most)
		}
	})
}

func TestForgivenEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := memspool.New(memspool.Options{}), newPeople()
		two := nodes(p, 2)
		for range 9 {
			plain(t, two[0].Door, "192.0.2.1", "jane@example.org", "lino-canary")
		}
		two[0].meet(t, s)
		if got := plain(t, two[0].Door, "192.0.2.1", "jane@example.org", "lion-canary"); got != "in" {
			t.Fatal(got)
		}
		two[0].meet(t, s)
		two[1].meet(t, s)
		for i := range 10 {
			if got := plain(t, two[1].Door, "192.0.2.1", "jane@example.org", "lino-canary"); got != wrong {
				t.Errorf("try %d at the other node: %s", i, got)
			}
		}
	})
}

// TestWhatAnAccountSendsIsCountedOverAllNodes, and by whom is not asked in a room of failures: no
// name that was typed is told.
func TestWhatAnAccountSendsIsCountedOverAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memspool.New(memspool.Options{})
		two := nodes(newPeople(), 2)
		for _, n := range two {
			n.book.Allow(login.Rule{Burst: 5, Each: time.Hour}, login.Rule{})
		}
		sent := 0
		for i := range 20 {
			n := two[i%2]
			if n.book.Message("joe", time.Now()) {
				sent++
			}
			n.meet(t, s)
		}
		if sent < 5 || sent > 6 {
			t.Errorf("%d messages were sent by way of two nodes, of five", sent)
		}
		plain(t, two[0].Door, "192.0.2.1", "my-secret-canary", "x")
		counted := two[0].book.Unsaid()
		if len(counted) == 0 || strings.Contains(fmt.Sprint(counted), "canary") {
			t.Errorf("told: %v", counted)
		}
		two[0].book.Return(counted)
		if again := two[0].book.Unsaid(); len(again) != len(counted) {
			t.Errorf("what came to nobody: %v, then %v", counted, again)
		}
	})
}
