package admin

import "testing"

// FuzzCursor: what is read as a place in the queue is printed as one, and read back as the same.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "03e6nkxfftfrw36gx8s0.0", "03e6nkxfftfrw36gx8s0.17", "03e6nkxfftfrw36gx8s0.-1", "03e6nkxfftfrw36gx8s0.", ".", "x.1", "03e6nkxfftfrw36gx8s0.99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s)
		if err != nil || s == "" {
			return
		}
		if c.Recipient < 0 {
			t.Errorf("%q is before the first recipient", s)
		}
		if again, err := parseCursor(cursorText(c)); err != nil || again != c {
			t.Errorf("%q was read as %v, and then as %v, %v", s, c, again, err)
		}
	})
}
