package simdisk

import "slices"

const (
	sector = 4096 // octets that are written in one go
	unit   = 512  // octets that are written whole
)

// content is the octets of a file.
type content struct {
	data  []byte          // as a reader sees them
	size  int             // length that the disk knows
	dirty map[int]*before // by number: sectors whose octets the disk may not have
}

// before is what the disk has of a dirty sector.
type before struct {
	data []byte // may be short: the rest is zeros
	lost bool   // a Sync failed: the disk will not be told of it again
}

// write puts p at an offset. What lies between the end and there becomes zeros.
func (c *content) write(p []byte, at int) {
	if len(p) == 0 {
		return
	}
	for s := at / sector; s*sector < at+len(p); s++ {
		c.touch(s)
	}
	if end := at + len(p); end > len(c.data) {
		c.data = append(c.data, make([]byte, end-len(c.data))...)
	}
	copy(c.data[at:], p)
}

// touch keeps what the disk has of a sector that is to be written.
func (c *content) touch(s int) {
	if b := c.dirty[s]; b != nil {
		b.lost = false
		return
	}
	if c.dirty == nil {
		c.dirty = map[int]*before{}
	}
	was := c.data[min(s*sector, len(c.data)):min((s+1)*sector, len(c.data))]
	c.dirty[s] = &before{data: slices.Clone(was)}
}

// sync makes the content durable, but for what an earlier one has lost.
func (c *content) sync() {
	for s, b := range c.dirty {
		if !b.lost {
			delete(c.dirty, s)
		}
	}
	c.size = len(c.data)
}

// lose is a sync that failed.
func (c *content) lose() {
	for _, b := range c.dirty {
		b.lost = true
	}
}

// crashed is the content after a crash of a file that was born with a name.
func (c *content) crashed(o outcome, birth string) content {
	size := c.crashedSize(o, birth)
	data := slices.Clone(c.data[:size])
	for s, b := range c.dirty {
		if at := s * sector; at < size {
			b.restore(data[at:min(at+sector, size)], o, birth, s)
		}
	}
	return content{data: data, size: size}
}

// crashedSize is between what the disk was told and what a reader saw.
func (c *content) crashedSize(o outcome, birth string) int {
	grown := len(c.data) - c.size
	switch {
	case grown <= 0 || o.lost("length of "+birth, 0):
		return c.size
	case o.whole("length of "+birth, 1):
		return len(c.data)
	}
	size := c.size + int(o.coin("length of "+birth, 2)%uint64(grown+1))
	return max(c.size, size/unit*unit)
}

// restore puts back what the disk had of a sector, where nothing newer came to it.
func (b *before) restore(now []byte, o outcome, birth string, s int) {
	switch {
	case b.lost || o.lost("sector of "+birth, s):
		b.put(now, 0)
	case !o.whole("sector in part of "+birth, s):
		for at := 0; at < len(now); at += unit {
			if o.lost("unit of "+birth, s*sector+at) {
				b.put(now[at:min(at+unit, len(now))], at)
			}
		}
	}
}

// put replaces octets of a sector by the old ones.
func (b *before) put(now []byte, at int) {
	n := 0
	if at < len(b.data) {
		n = copy(now, b.data[at:])
	}
	clear(now[n:])
}
