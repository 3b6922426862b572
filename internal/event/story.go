package event

import (
	"bytes"
	"cmp"
	"slices"
)

// Story returns the entries in the order in which they are told: message by
// message, the oldest first; for each its arrival, and then what happened, by
// time and, at one instant, by place in the journal. Entries that are about no
// message come first.
func Story(entries []Entry) []Entry {
	told := slices.Clone(entries)
	slices.SortStableFunc(told, func(a, b Entry) int {
		return cmp.Or(bytes.Compare(a.ID[:], b.ID[:]), cmp.Compare(chapter(a), chapter(b)), a.At.Compare(b.At), cmp.Compare(a.Seq, b.Seq))
	})
	return told
}

// chapter puts the arrival before all else: a clock may have gone back since.
func chapter(e Entry) int {
	if _, arrival := e.Event.(*Accepted); arrival {
		return 0
	}
	return 1
}
