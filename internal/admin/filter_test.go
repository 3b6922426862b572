package admin

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/spool"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestFilters: what operators type, and the same as it is printed. What is wrong
// is told.
func TestFilters(t *testing.T) {
	for _, c := range []struct{ typed, printed, wrong string }{
		{typed: "", printed: ""},
		{typed: "  \t ", printed: ""},
		{typed: "to:*@example.com", printed: "to:*@example.com"},
		{typed: "ann@example.com", printed: "to:ann@example.com"},
		{typed: "06J2KZ4K9RQ0M3C5TZ10", printed: "id:06j2kz4k9rq0m3c5tz10"},
		{typed: "id:06j2kz4k9rq0m3c5tz10/3", printed: "id:06j2kz4k9rq0m3c5tz10/3"},
		{typed: "from:<> state:Deferred", printed: "from:<> state:deferred"},
		{typed: `reply:"user unknown" subject:*rain*`, printed: `reply:"user unknown" subject:*rain*`},
		{typed: `subject:"say \"hello\" \\o/"`, printed: `subject:"say \"hello\" \\o/"`},
		{typed: `login:"a\b" TO:x@y`, printed: `to:x@y login:ab`},
		{typed: "age:>2h", printed: "arrived:<2026-11-23T10:00:00Z"},
		{typed: "age:<1w2d", printed: "arrived:>2026-11-14T12:00:00Z"},
		{typed: "age:>1d age:<2d", printed: "arrived:<2026-11-22T12:00:00Z arrived:>2026-11-21T12:00:00Z"},
		{typed: "arrived:<2026-11-22t12:00:00.5z", printed: "arrived:<2026-11-22T12:00:00.5Z"},
		{typed: "arrived:<2026-11-22T12:00:00+08:00", printed: "arrived:<2026-11-22T04:00:00Z"},
		{typed: "due:<90s", printed: "due:<2026-11-23T12:01:30Z"},
		{typed: "size:>1MB size:<1.5MiB", printed: "size:<1572864 size:>1000000"},
		{typed: "is:active,suspect", printed: "is:active,suspect"},
		{typed: "is:waiting", printed: "is:waiting"},
		{typed: "dest:[192.0.2.1]", printed: "dest:[192.0.2.1]"},
		{typed: "reply:4.7", printed: "reply:4.7"},
		{typed: "to:user:name@example.com", printed: "to:user:name@example.com"},

		{typed: "rain", wrong: `"rain" is no word of a filter, such as to:ADDRESS, state:held or age:>2h`},
		{typed: "too:x", wrong: `"too:x" is no word of a filter, such as to:ADDRESS, state:held or age:>2h`},
		{typed: "to:", wrong: "to: is followed by nothing"},
		{typed: `to:""`, wrong: "to: is followed by nothing"},
		{typed: "to:a to:b", wrong: "to: is given twice"},
		{typed: "age:>1h arrived:<2026-11-22T12:00:00Z", wrong: "arrived: is given twice"},
		{typed: `to:"a`, wrong: "the filter has an opening quote and no closing one"},
		{typed: "to:a\nb", wrong: "the filter has a control character"},
		{typed: "id:123", wrong: `"123" is no message id: it has 20 letters and digits`},
		{typed: "id:06j2kz4k9rq0m3c5tz10/-1", wrong: `"06j2kz4k9rq0m3c5tz10/-1" is no recipient: they are counted from 0`},
		{typed: "id:00000000000000000000", wrong: "00000000000000000000 names no message"},
		{typed: "state:lost", wrong: "state:lost is none of fresh, deferred, held"},
		{typed: "is:lost", wrong: "is:lost is none of active, waiting, suspect"},
		{typed: "age:2h", wrong: "age:2h says neither < nor >, as in age:>2h"},
		{typed: "age:>", wrong: "age:>: a time such as 2h is missing"},
		{typed: "age:>2", wrong: `age:>2: "2" is no time such as 90s, 30m, 2h, 3d or 1w`},
		{typed: "age:>-2h", wrong: `age:>-2h: "-2h" is no time such as 90s, 30m, 2h, 3d or 1w`},
		{typed: "age:>99999999999w", wrong: `age:>99999999999w: "99999999999w" is no time such as 90s, 30m, 2h, 3d or 1w`},
		{typed: "age:>15000w", wrong: "age:>15000w is too far away"},
		{typed: "age:>2147483647w", wrong: `age:>2147483647w: "2147483647w" is too long`},
		{typed: "age:>2026-11-22T12:00:00Z", wrong: `age:>2026-11-22T12:00:00Z: "2026-11-22T12:00:00Z" is no time such as 90s, 30m, 2h, 3d or 1w`},
		{typed: "due:>2h", wrong: "due:>2h: it can only be asked what is due within a time, due:<2h"},
		{typed: "arrived:<yesterday", wrong: "arrived:<yesterday is no time such as >2026-11-23T08:00:00Z"},
		{typed: "size:1MB", wrong: "size:1MB says neither < nor >, as in size:>1MB"},
		{typed: "size:>much", wrong: `size:>much: "much" is no size such as 640, 10kB or 1.5MB`},
		{typed: "size:>0", wrong: "size:>0: no message has less"},
		{typed: "size:>1e30", wrong: `size:>1e30: "1e30" is no size such as 640, 10kB or 1.5MB`},
		{typed: "size:>NaN", wrong: `size:>NaN: "NaN" is no size such as 640, 10kB or 1.5MB`},
	} {
		f, err := ParseFilter(c.typed, noon)
		switch {
		case c.wrong != "" && (err == nil || err.Error() != c.wrong):
			t.Errorf("%q: %v, want %s", c.typed, err, c.wrong)
		case c.wrong == "" && err != nil:
			t.Errorf("%q: %v", c.typed, err)
		case c.wrong == "" && PrintFilter(f) != c.printed:
			t.Errorf("%q is printed as %s, want %s", c.typed, PrintFilter(f), c.printed)
		}
	}
}

// FuzzFilter: whatever is read is printed so that it is read as the same, at any
// later time.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		`to:*@example.com from:<> age:>2h age:<3d size:>1MB reply:"user \"unknown\""`, "06j2kz4k9rq0m3c5tz10", "is:waiting,suspect due:<5m",
		"id:06j2kz4k9rq0m3c5tz10/7 state:held arrived:>2026-11-22T12:00:00.123456789Z", `subject:"` + "\u202e" + `"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, err := ParseFilter(s, noon)
		if err != nil {
			return
		}
		printed := PrintFilter(first)
		if len(printed) > maxFilter {
			return // quotes and backslashes make it longer than what is read
		}
		again, err := ParseFilter(printed, noon.Add(time.Hour))
		if err != nil {
			t.Fatalf("%q is printed as %q, which is not read: %v", s, printed, err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("%q is printed as %q, which is read as another filter:\n%s", s, printed, diff)
		}
	})
}

// TestTheWholeQueueIsNoFilter: the empty filter chooses all, printed and read.
func TestTheWholeQueueIsNoFilter(t *testing.T) {
	if s := PrintFilter(spool.Filter{}); s != "" {
		t.Errorf("it is printed as %q", s)
	}
}

func TestTimesForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 0: "0s", 999 * time.Millisecond: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m30s",
		2 * time.Hour: "2h", 2*time.Hour + 59*time.Second: "2h", 26*time.Hour + 5*time.Minute: "1d2h", 15 * 24 * time.Hour: "15d",
	} {
		if got := Short(d); got != want {
			t.Errorf("%v is printed as %s, want %s", d, got, want)
		}
	}
}
