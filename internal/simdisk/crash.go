package simdisk

import (
	"hash/fnv"
	"maps"
)

// survive is how much, in percent, of what was not synced a crash leaves, by
// seed: who tries six seeds in a row has tried all kinds of crashes.
var survive = [...]uint64{0, 50, 90, 10, 75, 100}

// Crash cuts the power, and returns the disk as it is when the power is back:
// what was synced, and of the rest what the seed says. Seed 0 leaves nothing of
// it, seed 5 everything. The disk itself is dead then: nothing changes it any
// more ([ErrDead]), and what was on it can be read, so that its user can end in peace.
func (d *Disk) Crash(seed uint64) *Disk {
	return d.after(outcome{seed, survive[seed%uint64(len(survive))]})
}

// Kill ends only the program, so that nothing is lost that was written, and
// returns the disk for the next one. The disk itself is dead then, as after
// [Disk.Crash]. What no Sync made durable can still be lost by a crash of the new one.
func (d *Disk) Kill() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	return newUser(d.platter)
}

func (d *Disk) after(o outcome) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	c := &crash{outcome: o, disk: newDisk(d.capacity), copied: map[*node]*node{}}
	c.folder(d.root.folder, c.disk.root.folder)
	return c.disk
}

// crash is one crash under way.
type crash struct {
	outcome
	disk   *Disk
	copied map[*node]*node
}

// folder makes the names that are left of a directory.
func (c *crash) folder(old, left *folder) {
	maps.Copy(left.kept, old.kept)
	for _, h := range old.pending {
		if c.happened(h) {
			left.keep(h)
		}
	}
	for name, n := range left.kept {
		n = c.node(n)
		n.links++
		left.kept[name], left.live[name] = n, n
	}
	maps.Copy(left.turns, old.turns) // so that what is born from now on is another
}

// happened reports whether half a change reached the disk.
func (c *crash) happened(h half) bool {
	if c.lost(h.change, 0) {
		return false
	}
	return !h.leaves || c.whole("old name of "+h.change, 0)
}

// node makes what is left of a file or directory, once for all its names.
func (c *crash) node(old *node) *node {
	if n := c.copied[old]; n != nil {
		return n
	}
	n := &node{birth: old.birth, written: old.written}
	c.copied[old] = n
	if old.folder != nil {
		n.folder = newFolder(old.birth).folder
		c.folder(old.folder, n.folder)
		return n
	}
	n.content = old.content.crashed(c.outcome, old.birth)
	c.disk.used += int64(len(n.content.data))
	return n
}

// outcome decides what a crash leaves of what was not synced: the same for the
// same seed, name and number, whoever asks first.
type outcome struct {
	seed    uint64
	percent uint64 // how much of it survives
}

// lost reports whether what has that name and number did not reach the disk.
func (o outcome) lost(what string, number int) bool {
	return o.coin(what, number)%100 >= o.percent
}

// whole reports whether what did reach the disk did so wholly.
func (o outcome) whole(what string, number int) bool {
	return o.percent == 100 || o.coin(what, number)%2 == 0
}

// coin is a number that hangs on nothing but what is said here (splitmix64 over
// FNV-1a).
func (o outcome) coin(what string, number int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(what)) // a hash takes everything
	x := h.Sum64() + o.seed*0x9e3779b97f4a7c15 + uint64(number)*0xd6e8feb86659fd93
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
