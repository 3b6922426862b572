package remote

import "testing"

// FuzzHost: what is read as a host has a name or an address to ask for, and a port.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"mx.sina.com", "mx.sina.com:2525", "192.0.2.1", "[2001:db8::1]:25", "[::1]", "::1", "a:0", "a:99999", ":25", ".", "", "[[::1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHost(s, 25)
		if err == nil && (h.name == "" || len(h.addrs) > 1 || len(h.addrs) == 0 && h.lookup.String() != h.name) {
			t.Errorf("%q was read as %+v", s, h)
		}
	})
}
