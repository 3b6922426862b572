package service

import "testing"

// TestSame: which sockets stand for which addresses.
func TestSame(t *testing.T) {
	for _, c := range []struct {
		has, wanted string
		same        bool
	}{
		{"[::]:25", ":25", true},
		{"0.0.0.0:25", ":25", true},
		{"[::]:25", "0.0.0.0:25", true},
		{"127.0.0.1:25", "127.0.0.1:25", true},
		{"[::ffff:127.0.0.1]:25", "127.0.0.1:25", true},
		{"127.0.0.1:25", ":25", false},
		{"[::]:25", "127.0.0.1:25", false},
		{"[::]:25", ":26", false},
		{"127.0.0.1:4000", "127.0.0.1:0", false},
		{"[::]:25", "", false},
	} {
		if got := same(endpoint{"tcp", c.has}, endpoint{"tcp", c.wanted}); got != c.same {
			t.Errorf("%s for %s: %v", c.has, c.wanted, got)
		}
	}
	if same(endpoint{"tcp", "[::]:25"}, endpoint{"unix", "/run/lmtp"}) || !same(endpoint{"unix", "/run/lmtp"}, endpoint{"unix", "/run/lmtp"}) {
		t.Error("a socket in the file system is the one of its path")
	}
}

// TestThreads: what the system tells of a thread, and what must not be in it.
func TestThreads(t *testing.T) {
	i := Identity{Name: "posthouse", UID: 990, GID: 991}
	const good = "Name:\tposthouse\nUid:\t990\t990\t990\t990\nGid:\t991\t991\t991\t991\nCapPrm:\t0000000000000400\nCapEff:\t0000000000000000\n"
	if err := i.check(good); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{
		"Uid:\t990\t990\t0\t990\n",
		"Gid:\t991\t991\t991\t0\n",
		"CapPrm:\t00000000000000c0\n",
		"CapEff:\t000001ffffffffff\n",
	} {
		if i.check(bad) == nil {
			t.Errorf("%q is taken for good", bad)
		}
	}
}
