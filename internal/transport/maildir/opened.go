package maildir

import (
	"container/list"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"time"
)

// box is a Maildir of a transport that is kept open.
type box struct {
	*Maildir
	dir   string
	users int  // deliveries under way
	stale bool // to be closed when there are none

	mu      sync.Mutex
	counted time.Time // when held was counted
	held    int64     // octets
}

// opened are the Maildirs that are open: those in use, and of the others as many
// as there is room for. The zero value has none.
type opened struct {
	disk Disk
	most int

	mu     sync.Mutex
	closed bool                     // those in use are the last
	byDir  map[string]*list.Element // of *box
	recent list.List                // the one used last comes first
}

// get returns a Maildir, which is given back with put. Two who ask for the same
// one at once may both open it, and one of the two is then kept.
func (o *opened) get(root, dir string) (*box, error) {
	if b := o.find(dir); b != nil {
		return b, nil
	}
	m, err := OpenOn(o.disk, filepath.Join(root, filepath.FromSlash(dir)))
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.locked(dir); b != nil {
		return b, m.Close()
	}
	b := &box{Maildir: m, dir: dir, users: 1, stale: o.closed}
	if o.closed {
		return b, nil
	}
	if o.byDir == nil {
		o.byDir = map[string]*list.Element{}
	}
	o.byDir[dir] = o.recent.PushFront(b)
	o.trim()
	return b, nil
}

func (o *opened) find(dir string) *box {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.locked(dir)
}

func (o *opened) locked(dir string) *box {
	e := o.byDir[dir]
	if e == nil {
		return nil
	}
	o.recent.MoveToFront(e)
	b := e.Value.(*box)
	b.users++
	return b
}

// put gives a Maildir back. One that is no good, such as a directory that was
// removed, is not used again.
func (o *opened) put(b *box, good bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b.users--
	if !good {
		o.forget(b)
	}
	if b.stale && b.users == 0 {
		_ = b.Close() // nothing hangs on it
	}
	o.trim()
}

// forget takes a Maildir out; the last who uses it closes it.
func (o *opened) forget(b *box) {
	if e := o.byDir[b.dir]; e != nil && e.Value == b {
		o.recent.Remove(e)
		delete(o.byDir, b.dir)
	}
	b.stale = true
}

// trim closes those that were not used for longest, while there are too many.
func (o *opened) trim() {
	for e := o.recent.Back(); e != nil && o.recent.Len() > o.most; {
		b := e.Value.(*box)
		e = e.Prev()
		if b.users == 0 {
			o.forget(b)
			_ = b.Close()
		}
	}
}

// close closes those that nobody uses; who uses one closes it.
func (o *opened) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	var errs []error
	for e := o.recent.Front(); e != nil; e = o.recent.Front() {
		b := e.Value.(*box)
		o.forget(b)
		if b.users == 0 {
			errs = append(errs, b.Close())
		}
	}
	return errors.Join(errs...)
}

// recount is how long a count of what a Maildir holds is good: others remove
// messages, and a full one is not counted for each message that does not fit.
const recount = 10 * time.Second

// fits reports whether there is room for a message of so many octets, and takes
// the room. Deliveries that fail leave it taken until the next count.
func (b *box) fits(size, quota int64) bool {
	if quota <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counted.IsZero() || b.held+size > quota && time.Since(b.counted) >= recount {
		b.counted, b.held = time.Now(), b.count()
	}
	if b.held+size > quota {
		return false
	}
	b.held += size
	return true
}

// count adds up the files that readers see.
func (b *box) count() (octets int64) {
	for _, folder := range []string{"new", "cur"} {
		_ = b.disk.Each(folder, func(info fs.FileInfo) error {
			if info.Mode().IsRegular() {
				octets += info.Size()
			}
			return nil
		})
	}
	return octets
}
