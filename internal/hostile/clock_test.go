package hostile

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const relaying = `hostname = "mx.sohu.com"
data     = "DIR/sohu"
listen "smtp" { address = "192.0.2.1:25" }
relay { networks = "198.51.100.0/24" }
domain "sohu.com" { mailboxes = "ann" }
`

const route = `sina.com     MX 10 mx.sina.com
mx.sina.com  A  192.0.2.2
`

// TestClockJumps: a house takes mail, cannot deliver it, and ends; when it begins again its
// clock says another time. While a house runs a jump is not felt: what it waits for it waits for by
// the monotonic clock.
func TestClockJumps(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		before, after time.Duration // what the clock says, since 2000, when the house begins
		within        time.Duration // of its second beginning the mail is delivered
	}{
		"back a minute": {before: time.Minute, within: 3 * time.Minute},
		// It waits for the time that it was told, unless an operator says otherwise.
		"back a day": {before: day, within: day + 5*time.Minute},
		"on an hour": {after: time.Hour, within: time.Minute},
		// It is past its end, and is tried once more before anybody is told so.
		"on ten years": {after: 3650 * day, within: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			disk, dir := vfs.NewMem(), t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(c.before)
				w := newWorld(t, dir)
				w.disk = disk
				defer w.end()
				w.must(w.zone.Add(route))
				w.house("sohu", "192.0.2.1", relaying)
				w.ask("192.0.2.1:25", "", "S~ 220\nC: HELO a.example\nS~ 250\nC: MAIL FROM:<ann@sohu.com>\nS~ 250\n"+
					"C: RCPT TO:<bob@sina.com>\nS~ 250\nC: DATA\nS~ 354\nC: Subject: x\nC:\nC: .\nS~ 250\n")
				time.Sleep(2 * time.Second)
				if w.count([]string{"deferred"}) != 1 {
					t.Fatal("the mail was not deferred:\n", w.tell())
				}
			})
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(c.after)
				w := newWorld(t, dir)
				w.disk = disk
				defer w.end()
				w.must(w.zone.Add(route))
				w.gullible("192.0.2.2:25", "")
				w.house("sohu", "192.0.2.1", relaying)
				time.Sleep(c.within)
				synctest.Wait()
				if w.count([]string{"relayed", "to=<bob@sina.com>"}) != 1 {
					t.Errorf("the mail was not delivered:\n%s", w.tell())
				}
			})
		})
	}
}
