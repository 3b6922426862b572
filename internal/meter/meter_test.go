package meter

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func attempt(at time.Time, took time.Duration, fate mail.Fate, destination string) event.Entry {
	id, _ := mail.NewID(at.Add(-took), strings.NewReader("chance"))
	return event.Entry{ID: id, At: at, Event: &event.Attempt{Outcome: mail.Outcome{Fate: fate}, Hop: mail.Hop{Destination: destination}}}
}

// TestMinutes: each event counts for its minute and for the whole; minutes in which
// nothing happened are there too.
func TestMinutes(t *testing.T) {
	m := New()
	m.Observe(event.Entry{At: noon, Event: &event.Accepted{Size: 100}})
	m.Observe(event.Entry{At: noon, Event: &event.Refused{Stage: smtp.VerbRCPT}})
	m.Observe(attempt(noon.Add(time.Minute), 3*time.Second, mail.Delivered, "sina.example"))
	m.Observe(attempt(noon.Add(time.Minute), 0, mail.Deferred, "sohu.example"))
	m.Queued(noon.Add(time.Minute), 7)
	m.Observe(event.Entry{At: noon.Add(3 * time.Minute), Event: &event.Decided{Outcome: mail.Outcome{Fate: mail.Expired}}})
	m.Observe(event.Entry{At: noon.Add(3 * time.Minute), Event: &event.Reported{Report: mail.ID{1}}})
	m.Observe(event.Entry{At: noon.Add(3 * time.Minute), Event: &event.Reported{Dropped: "nobody asked"}})
	var got strings.Builder
	for _, minute := range m.Minutes(noon.Add(4*time.Minute), 6) {
		c := minute.Counts
		fmt.Fprintf(&got, "%s %v %d %v\n", minute.At.Format("15:04"), c, minute.Queue, minute.Latency.Count())
	}
	const want = `11:59 {0 0 0 0 0 0 0 0} -1 0
12:00 {1 100 1 0 0 0 0 0} -1 0
12:01 {0 0 0 1 1 0 0 0} 7 1
12:02 {0 0 0 0 0 0 0 0} -1 0
12:03 {0 0 0 0 0 1 0 1} -1 0
12:04 {0 0 0 0 0 0 0 0} -1 0
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", &got, want)
	}
	if total := m.Totals(); total.Counts != (Counts{1, 100, 1, 1, 1, 1, 0, 1}) || total.Fates[mail.Expired] != 1 || total.Refused[smtp.VerbRCPT] != 1 {
		t.Errorf("in all %+v", total)
	}
}

// TestADayIsKept, and no more; a clock that jumps harms nobody.
func TestADayIsKept(t *testing.T) {
	m := New()
	for i := range 3 * kept {
		m.Observe(event.Entry{At: noon.Add(time.Duration(i) * time.Minute), Event: &event.Accepted{}})
	}
	end := noon.Add((3*kept - 1) * time.Minute)
	all := m.Minutes(end, 10*kept)
	if len(all) != kept || !all[kept-1].At.Equal(end) {
		t.Fatalf("%d minutes up to %v", len(all), all[len(all)-1].At)
	}
	for _, minute := range all {
		if minute.Accepted != 1 {
			t.Fatalf("%d in %v", minute.Accepted, minute.At)
		}
	}
	m.Observe(event.Entry{At: noon, Event: &event.Accepted{}}) // the clock went back
	if got := m.Minutes(end, 1)[0].Accepted; got != 2 {
		t.Errorf("what came late was counted %d times", got-1)
	}
	m.Observe(event.Entry{At: end.AddDate(5, 0, 0), Event: &event.Accepted{}})
	var sum int64
	for _, minute := range m.Minutes(end.AddDate(5, 0, 0), kept) {
		sum += minute.Accepted
	}
	if sum != 1 {
		t.Errorf("after five years %d are of the last day", sum)
	}
}

// TestDestinations: those with the most come first; names that strangers choose use no
// more memory than there is for them.
func TestDestinations(t *testing.T) {
	m := New()
	for i := range 3 * maxDestinations {
		m.Observe(attempt(noon, 0, mail.Deferred, fmt.Sprintf("d%d.example", i)))
	}
	for range 5 {
		m.Observe(attempt(noon, 0, mail.Delivered, "d1.example"))
	}
	m.Observe(attempt(noon.Add(time.Hour), 0, mail.Failed, "d1.example"))
	top := m.Destinations(2)
	if top[0] != (Destination{Others, 0, 2 * maxDestinations, 0}) || top[1] != (Destination{"d1.example", 5, 1, 1}) {
		t.Errorf("the first are %+v", top)
	}
	if n := len(m.Destinations(1 << 20)); n != maxDestinations+1 {
		t.Errorf("%d are kept", n)
	}
	m.Observe(attempt(noon.Add(5*time.Hour), 0, mail.Failed, "late.example"))
	if all := m.Destinations(10); len(all) != 1 {
		t.Errorf("hours later there are %+v", all)
	}
}

// TestQuantiles are right to the class, and in order.
func TestQuantiles(t *testing.T) {
	var l Latency
	if l.Quantile(0.5) != 0 {
		t.Error("of nothing there is a quantile")
	}
	for i := range 1000 {
		l.add(time.Duration(i) * time.Millisecond)
	}
	for share, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.95: 950 * time.Millisecond, 0.1: 100 * time.Millisecond} {
		if got := l.Quantile(share); got < want/2 || got > want*2 {
			t.Errorf("of %v it says %v", share, got)
		}
	}
	if l.Quantile(0.1) > l.Quantile(0.5) || l.Quantile(0.5) > l.Quantile(1) || l.Count() != 1000 {
		t.Error("they are out of order")
	}
	l.add(-time.Second)
	l.add(1 << 60)
	if l.Quantile(1) > Bound(classes-1) {
		t.Errorf("the longest is %v", l.Quantile(1))
	}
}

func BenchmarkObserve(b *testing.B) {
	m := New()
	e := attempt(time.Now(), time.Second, mail.Delivered, "sina.example")
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(e)
	}
}
