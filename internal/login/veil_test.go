package login_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// keysOf are the keys that a book tells when somebody has typed a name, sorted.
func keysOf(b *login.Book, name string) (keys []string) {
	b.Fail(name, netip.MustParseAddr("192.0.2.1"), time.Now())
	for _, c := range b.Unsaid() {
		keys = append(keys, c.Key)
	}
	slices.Sort(keys)
	return keys
}

// TestWhoHasNotTheSecretCannotTryNames: what stands for a name says nothing to who has another secret, or
// none, however well he guesses the name; and the same to who has the same.
func TestWhoHasNotTheSecretCannotTryNames(t *testing.T) {
	const typed = "correct horse battery"
	here := keysOf(veiledBook("a secret of all nodes"), typed)
	if there := keysOf(veiledBook("a secret of all nodes"), typed); !slices.Equal(here, there) {
		t.Errorf("with the same secret: %q and %q", here, there)
	}
	if other := keysOf(veiledBook("a secret of all nodes"), "another"); len(both(here, other)) != 1 {
		t.Errorf("another name is told as %q, not %q", other, here)
	}
	for name, b := range map[string]*login.Book{"another": veiledBook("another secret"), "none": login.NewBook(login.Budget{}), "an empty one": veiledBook("")} {
		if common := both(here, keysOf(b, typed)); !slices.Equal(common, []string{"network 192.0.2.1/32"}) {
			t.Errorf("%s tells the same: %q", name, common)
		}
	}
}

func both(a, b []string) (common []string) {
	for _, key := range a {
		if slices.Contains(b, key) {
			common = append(common, key)
		}
	}
	return common
}

// TestNodesOfSeveralSecrets count names each for itself, and networks together: who guesses from an address has
// no more guesses at all three than the address has.
func TestNodesOfSeveralSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := memspool.New(memspool.Options{}), newPeople()
		three := nodes(p, 3)
		for i, n := range three {
			if err := n.book.Veil(fmt.Appendf(nil, "secret of node %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 90 {
			n := three[i%3]
			plain(t, n.Door, "192.0.2.1", "jane@example.org", "guess")
			n.meet(t, s)
		}
		if p.asked < 28 || p.asked > 32 {
			t.Errorf("%d passwords were looked at, want those of a network: 30", p.asked)
		}
	})
}
