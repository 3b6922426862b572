package web

import (
	"testing"

	"github.com/posthouse/posthouse/internal/admin"
)

// TestDisk: the parts of the bar fill what is taken up, and the mark stands where 452 begins.
func TestDisk(t *testing.T) {
	d := overviewData{inboxes: true, inbox: 50}
	d.Spool = admin.Spooled{Disk: 1000, Free: 400, Floor: 100, Bytes: 300, FactBytes: 200}
	bar := d.Disk()
	if bar == nil || bar.Percent() != 60 || bar.Left() != 300 || bar.FloorAt != "540.0" {
		t.Fatalf("a disk of 1,000 with 400 free: %+v", bar)
	}
	at := int64(0)
	for _, p := range bar.Parts {
		if p.At != bar.along(at) || p.Width != bar.along(p.Octets) {
			t.Errorf("%s stands at %s, %s wide; want it at %s", p.Key, p.At, p.Width, bar.along(at))
		}
		at += p.Octets
	}
	if at != 600 || len(bar.Parts) != 4 || bar.Parts[3].Octets != 50 {
		t.Errorf("the parts are %d octets of 600: %+v", at, bar.Parts)
	}
	d.Spool.Bytes = 5000 // the engine presses mail together, or it lies elsewhere
	if parts := d.Disk().Parts; parts[0].Octets != 600 || parts[3].Octets != 0 {
		t.Errorf("more mail than the disk holds: %+v", parts)
	}
	for _, unknown := range []admin.Spooled{{}, {Disk: 1000, Free: -1}, {Disk: 1000, Free: 2000}} {
		if d.Spool = unknown; d.Disk() != nil {
			t.Errorf("%+v is drawn", unknown)
		}
	}
}
