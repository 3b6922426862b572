package login_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

const (
	wrong   = "535 no such user, or the wrong password"
	tooMany = "454 too many failures before"
)

// TestGuessingIsHopeless: whoever guesses for a day has few guesses, wherever he does it
// from, and the right one does not help when they are gone. A plain run has six hours of
// that day, POSTHOUSE_TEST_ALL all of it.
func TestGuessingIsHopeless(t *testing.T) {
	hours := 6
	if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		hours = 24
	}
	for _, x := range []struct {
		name   string
		client func(i int) string
		user   func(i int) string
		most   int // passwords looked at in those hours, with one try a second
	}{
		{"one account from one address", always("192.0.2.1"), always("jane@example.org"), 10 + 10*hours},
		{"nobody's account from one address", always("192.0.2.1"), always("nobody"), 10 + 10*hours},
		{"many accounts from one address", always("192.0.2.1"), numbered("user%d"), 30 + 30*hours},
		{"many accounts from one IPv6 network", numbered("2001:db8::%x"), numbered("user%d"), 30 + 30*hours},
		{"many accounts from an IPv6 /48", numbered("2001:db8:0:%x::1"), numbered("user%d"), 100 + 100*hours},
		{"one account from everywhere", everywhere, always("jane@example.org"), 100 + 100*hours},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeople()
				d := login.New(login.Options{Accounts: p})
				for i := range hours * 60 * 60 {
					plain(t, d, x.client(i), x.user(i), "guess")
					time.Sleep(time.Second)
				}
				if p.asked > x.most || p.asked < x.most*9/10 {
					t.Errorf("%d passwords were looked at, want %d at the most", p.asked, x.most)
				}
				for plain(t, d, x.client(0), x.user(0), "guess") == wrong {
				}
				if got := plain(t, d, x.client(0), x.user(0), "lion-canary"); got != tooMany {
					t.Errorf("the right password: %s", got)
				}
			})
		})
	}
}

func always(s string) func(int) string { return func(int) string { return s } }

func numbered(format string) func(int) string {
	return func(i int) string { return fmt.Sprintf(format, i%65536) }
}

func everywhere(i int) string {
	return netip.AddrFrom4([4]byte{byte(1 + i%200), byte(i >> 8), byte(i >> 16), byte(i)}).String()
}

// TestManyAtATimeAreNoMore: tries that run beside each other count as those that
// follow each other.
func TestManyAtATimeAreNoMore(t *testing.T) {
	p := newPeople()
	d := login.New(login.Options{Accounts: p})
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() { plain(t, d, "192.0.2.1", "jane@example.org", "guess") })
	}
	all.Wait()
	if p.asked != 10 {
		t.Errorf("%d passwords were looked at", p.asked)
	}
}

// TestAKnownNetworkIsNotLockedOut: whatever strangers do, whoever has logged in from a
// network before can do it again; also after a restart, and until it is forgotten.
func TestAKnownNetworkIsNotLockedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memspool.New(memspool.Options{})
		defer memory.Close()
		p := newPeople()
		d := login.New(login.Options{Accounts: p, Memory: memory})
		const home, travels = "2001:db8:1:1::7", "198.51.100.9"
		say := func(client, password, want string) {
			t.Helper()
			if got := plain(t, d, client, "Jane@Example.org", password); got != want {
				t.Errorf("from %s: %s, want %s", client, got, want)
			}
		}
		attack := func() {
			for i := range 1000 {
				plain(t, d, everywhere(i), "jane@example.org", "guess")
				plain(t, d, fmt.Sprintf("2001:db8:1:%x::1", i), "joe", "guess") // from the same /48
				plain(t, d, "2001:db8:1:1::8", fmt.Sprint("user", i), "guess")  // and even from her own network
			}
		}
		say(home, "lion-canary", "in")
		attack()
		say(travels, "lion-canary", tooMany)
		say(home, "lion-canary", "in")
		for range 9 { // her telephone has the password of last year
			say("2001:db8:1:1::9", "old", wrong)
		}
		say(home, "lion-canary", "in")

		d = login.New(login.Options{Accounts: p, Memory: memory})
		attack()
		say(travels, "lion-canary", tooMany)
		say(home, "lion-canary", "in")

		time.Sleep(login.Remembered - time.Hour)
		attack()
		say(home, "lion-canary", "in")
		time.Sleep(login.Remembered - time.Hour) // it was remembered anew
		attack()
		say(home, "lion-canary", "in")
		time.Sleep(login.Remembered + time.Hour)
		attack()
		say(home, "lion-canary", tooMany)
	})
}

// TestAKnownNetworkGuessesNoMore: there is an end to guessing there too.
func TestAKnownNetworkGuessesNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memspool.New(memspool.Options{})
		defer memory.Close()
		p := newPeople()
		d := login.New(login.Options{Accounts: p, Memory: memory})
		plain(t, d, "192.0.2.1", "joe", "tiger-canary")
		p.asked = 0
		for range 60 * 60 {
			plain(t, d, "192.0.2.1", "joe", "guess")
			time.Sleep(time.Second)
		}
		if p.asked > 50+60 {
			t.Errorf("%d passwords were looked at", p.asked)
		}
	})
}

// TestWhoMistypesIsForgiven: the right password makes the wrong ones for that account
// good. Those of the network stay: else a guesser with an account of his own could go on.
func TestWhoMistypesIsForgiven(t *testing.T) {
	d := login.New(login.Options{Accounts: newPeople()})
	mistyped := 0
	for plain(t, d, "192.0.2.1", "joe", "tyger") == wrong {
		if mistyped++; mistyped%4 != 0 {
			continue
		}
		if got := plain(t, d, "192.0.2.1", "joe", "tiger-canary"); got != "in" {
			t.Fatal(got)
		}
	}
	if mistyped != 30 {
		t.Errorf("mistyped %d times", mistyped)
	}
}

// TestTroubleOfOursIsNoFailure: what is not the client's fault does not count.
func TestTroubleOfOursIsNoFailure(t *testing.T) {
	p := newPeople()
	d := login.New(login.Options{Accounts: p})
	for _, x := range []struct {
		trouble error
		want    string
	}{{errors.New("away"), "454 it could not be found out"}, {directory.ErrBusy, "454 too many log in at a time"}} {
		p.trouble = x.trouble
		for range 100 {
			if got := plain(t, d, "192.0.2.1", "joe", "tiger-canary"); got != x.want {
				t.Fatal(got)
			}
		}
	}
	p.trouble = nil
	if got := plain(t, d, "192.0.2.1", "joe", "tiger-canary"); got != "in" {
		t.Error(got)
	}
}

// TestWhatOneMaySend: a count of messages and recipients that comes back with time.
func TestWhatOneMaySend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := login.NewBook(login.Budget{})
		b.Allow(login.Rule{Burst: 3, Each: 20 * time.Minute}, login.Rule{})
		send := func(name string) (n int) {
			for range 100 {
				if b.Message(name, time.Now()) {
					n++
				}
			}
			return n
		}
		for _, x := range []struct {
			after time.Duration
			name  string
			want  int
		}{{0, "jane", 3}, {0, "joe", 3}, {0, "jane", 0}, {20 * time.Minute, "jane", 1}, {time.Hour, "jane", 3}, {time.Minute, "jane", 0}} {
			time.Sleep(x.after)
			if n := send(x.name); n != x.want {
				t.Errorf("%s sent %d messages, want %d", x.name, n, x.want)
			}
		}
		for range 1000 {
			if !b.Recipient("jane", time.Now()) {
				t.Fatal("without a limit there is one")
			}
		}
	})
}

// TestTheBookIsBounded: however many keys there are, it holds few.
func TestTheBookIsBounded(t *testing.T) {
	b := login.NewBook(login.Budget{})
	now := time.Now()
	for i := range 200_000 {
		b.Fail(fmt.Sprint("user", i), netip.MustParseAddr(everywhere(i)), now)
	}
	if n := b.Size(); n > 8*20_000 {
		t.Errorf("%d entries", n)
	}
}
