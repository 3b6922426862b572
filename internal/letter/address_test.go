package letter

import (
	"regexp"
	"slices"
	"testing"
)

// oneAddress says what an address is.
var oneAddress = regexp.MustCompile(`\b(?:[hH][tT][tT][pP][sS]?://|[mM][aA][iI][lL][tT][oO]:)[^\s<>"'` + "`" + `\x00-\x1f]+`)

// FuzzAddresses: those that are found by their colons are those of the expression.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{
		"", "see http://a.test/x.", "(HTTPS://a.test) mailto:a@b.test, xhttp://no", "http://", "http:// http://a", ":", "https:/x mailto:",
		"http://a.test/<http://b.test\x00mailto:c", "mailto:http://a", "_http://a é http://b\xff", "httphttp://x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got []string
		for at := range addresses(s) {
			if s[at.begin:at.begin+len(at.text)] != at.text {
				t.Fatalf("%q does not stand at %d of %q", at.text, at.begin, s)
			}
			got = append(got, at.text)
		}
		if want := oneAddress.FindAllString(s, -1); !slices.Equal(got, want) {
			t.Fatalf("%q has %q, want %q", s, got, want)
		}
		if got, want := withoutAddresses(s), oneAddress.ReplaceAllString(s, " "); got != want {
			t.Fatalf("%q without them is %q, want %q", s, got, want)
		}
	})
}
