package web

import "strconv"

// disk is what lies on the disk of the spool, as a bar of 600 from left to right.
type disk struct {
	Size, Free int64
	Floor      int64 // with less free, new mail is told 452; 0: never
	Parts      []diskPart
	FloorAt    string // where on the bar Free begins to be less than Floor; "": nowhere
}

// diskPart is one of those who take it up.
type diskPart struct {
	Mood, Key string
	Octets    int64
	At, Width string // on the bar
}

// Disk is what is known of the disk; nil: nothing is. The mail counts as it came, and what
// an engine needs beside it is among the rest.
func (d *overviewData) Disk() *disk {
	s := &d.Spool
	if s.Disk <= 0 || s.Free < 0 || s.Free > s.Disk {
		return nil
	}
	out := &disk{Size: s.Disk, Free: s.Free, Floor: s.Floor}
	at, rest := int64(0), s.Disk-s.Free
	add := func(mood, key string, octets int64) {
		octets = min(octets, rest)
		out.Parts = append(out.Parts, diskPart{mood, key, octets, out.along(at), out.along(octets)})
		at, rest = at+octets, rest-octets
	}
	add("info", "disk.queue", s.Bytes)
	add("ok", "disk.journal", s.FactBytes)
	if d.inboxes {
		add("warn", "disk.inbox", d.inbox)
	}
	add("rest", "disk.other", rest)
	if s.Floor > 0 && s.Floor < s.Disk {
		out.FloorAt = out.along(s.Disk - s.Floor)
	}
	return out
}

// along is how far along the bar so many octets reach.
func (d *disk) along(octets int64) string {
	return strconv.FormatFloat(float64(octets)/float64(d.Size)*plotWidth, 'f', 1, 64)
}

// Left is how much may come until new mail is told 452; 0: it is, or could be at any time.
func (d *disk) Left() int64 { return max(0, d.Free-d.Floor) }

// Percent is how much of the disk is taken up, in hundredths of it.
func (d *disk) Percent() int64 { return (d.Size - d.Free) / max(1, d.Size/100) }
