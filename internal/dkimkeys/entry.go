package dkimkeys

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Entry is a key in the index.
type Entry struct {
	Selector string    // of lower-case letters, digits and hyphens
	From     time.Time // it signs from then on; zero: not until a rotation says so
	Until    time.Time // it signs no more from then on; zero: without end
	Drop     time.Time // its record may leave the DNS; zero: that is not known yet
}

// Stage is how far a key has come.
type Stage string

// The stages, in their order.
const (
	Waiting Stage = "waiting" // to be seen in the DNS
	Signing Stage = "signing"
	Kept    Stage = "kept" // for those who verify what it has signed
	Over    Stage = "over" // its record may leave the DNS
)

// Stage returns the stage at an instant.
func (e *Entry) Stage(now time.Time) Stage {
	switch {
	case e.From.IsZero() || now.Before(e.From):
		return Waiting
	case e.Until.IsZero() || now.Before(e.Until):
		return Signing
	case e.Drop.IsZero() || now.Before(e.Drop):
		return Kept
	}
	return Over
}

// Bounds of an index.
const (
	MaxIndex   = 64 << 10 // octets
	MaxEntries = 100
)

// indexHead stands above the entries, for who looks into the file.
const indexHead = `# The keys that sign mail of this domain; "posthouse dkim" changes this file.
# selector  signs from  until  record may leave the DNS
`

// FormatIndex prints an index, one that [ParseIndex] reads.
func FormatIndex(all []Entry) string {
	var b strings.Builder
	b.WriteString(indexHead)
	for i := range all {
		e := &all[i]
		fmt.Fprintf(&b, "%s %s %s %s\n", e.Selector, instant(e.From), instant(e.Until), instant(e.Drop))
	}
	return b.String()
}

// ParseIndex reads an index: a line for each key, of its selector and three
// instants (RFC 3339), where "-" stands for one that is not known; and comments
// that begin with "#".
func ParseIndex(text string) ([]Entry, error) {
	if len(text) > MaxIndex {
		return nil, fmt.Errorf("it has more than %d octets", MaxIndex)
	}
	var all []Entry
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		e, err := parseEntry(words)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		case seen[e.Selector]:
			return nil, fmt.Errorf("line %d: the selector %s is there twice", n, e.Selector)
		case len(all) == MaxEntries:
			return nil, fmt.Errorf("it has more than %d keys", MaxEntries)
		}
		seen[e.Selector] = true
		all = append(all, e)
	}
	return all, nil
}

func parseEntry(words []string) (e Entry, err error) {
	if len(words) != 4 {
		return e, errors.New("write SELECTOR FROM UNTIL DROP, with - for what is not known")
	}
	if err := CheckSelector(words[0]); err != nil {
		return e, err
	}
	e.Selector = words[0]
	for i, to := range []*time.Time{&e.From, &e.Until, &e.Drop} {
		if words[i+1] == "-" {
			continue
		}
		if *to, err = time.Parse(time.RFC3339, words[i+1]); err != nil || to.Year() < 2000 {
			return e, fmt.Errorf("%.30q is no instant such as 2026-11-23T12:00:00Z", words[i+1])
		}
	}
	return e, nil
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// CheckSelector says what is wrong with a selector: it is the name of a file and
// of a label in the DNS, of lower-case letters, digits and hyphens.
func CheckSelector(s string) error {
	bad := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' || strings.ContainsFunc(s, bad) {
		return fmt.Errorf("%.70q is no selector: write lower-case letters, digits and hyphens", s)
	}
	return nil
}
