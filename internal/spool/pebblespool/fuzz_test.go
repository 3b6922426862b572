package pebblespool

import (
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// FuzzSmallRecords: whatever is on the disk in place of a small state, a destination, a name in a key
// or a page of the journal, reading it ends without harm, and takes no more than there is.
func FuzzSmallRecords(f *testing.F) {
	var e spool.Encoder
	e.Int(3)
	e.Time(time.Unix(5, 6))
	e.Text("value")
	f.Add([]byte(e))
	f.Add([]byte("0123456789ab\x01\x02\x03"))
	f.Add(appendName(nil, "mx\x00.sina\xff"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, record []byte) {
		readPlace(record)
		if st, err := readState("room", "key", record); err == nil && len(st.Value) > len(record) {
			t.Errorf("a value of %d octets from %d", len(st.Value), len(record))
		}
		facts, err := cutFacts(7, record)
		total := 0
		for i := range facts {
			total += len(facts[i].Data)
		}
		if err == nil && (total > len(record) || len(facts) > len(record)) {
			t.Errorf("%d facts of %d octets from %d", len(facts), total, len(record))
		}
		if name, rest := cutName(record); len(name)+len(rest) > len(record) {
			t.Errorf("%q and %q from %q", name, rest, record)
		}
	})
}
