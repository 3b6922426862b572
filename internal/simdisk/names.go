package simdisk

import (
	"path"
	"syscall"
)

// folder is the names in a directory.
type folder struct {
	live    map[string]*node // as a program sees them
	kept    map[string]*node // as the disk has them
	pending []half           // what makes kept live, in order
	turns   map[string]int   // by name: how often it has changed
}

// half is what a change does in one directory; a rename has two.
type half struct {
	name   string
	node   *node  // nil: the name goes
	change string // for the coins of a crash, the same in both halves
	leaves bool   // the old name of a rename, which may stay though the new one is there
}

// maxPending is how many changes of a directory wait for a Sync. Those before
// them reach the disk by themselves, as everything does after a while.
const maxPending = 4096

// put changes a name in what a program sees, and leaves the disk for later.
func (p place) put(n *node, change string, leaves bool) {
	if old := p.node(); old != nil {
		old.links--
	}
	if n == nil {
		delete(p.dir.live, p.base)
	} else {
		p.dir.live[p.base] = n
		n.links++
	}
	p.dir.turns[p.base]++
	p.dir.pending = append(p.dir.pending, half{p.base, n, change, leaves})
	if len(p.dir.pending) > maxPending {
		p.dir.keep(p.dir.pending[0])
		p.dir.pending = p.dir.pending[1:]
	}
}

// keep does half a change to what the disk has.
func (f *folder) keep(h half) {
	if h.node == nil {
		delete(f.kept, h.name)
	} else {
		f.kept[h.name] = h.node
	}
}

// sync makes the names durable.
func (f *folder) sync() {
	for _, h := range f.pending {
		f.keep(h)
	}
	f.pending = nil
}

// create makes a new file or directory; the name must be free.
func (d *Disk) create(kind Kind, name string) (*node, error) {
	p, err := d.place(name)
	if err != nil {
		return nil, err
	}
	if p.node() != nil {
		return nil, syscall.EEXIST
	}
	if err := d.operate(kind, p.path, 0); err != nil {
		return nil, err
	}
	n := newFolder(p.turn())
	if kind == Create {
		n.folder = nil
	}
	p.put(n, "create "+p.turn(), false)
	return n, nil
}

func (d *Disk) makeAll(name string) error {
	name = clean(name)
	n, err := d.find(name)
	switch {
	case err == nil && n.folder == nil:
		return syscall.ENOTDIR
	case err == nil:
		return nil
	case err != syscall.ENOENT:
		return err
	}
	if err := d.makeAll(path.Dir(name)); err != nil {
		return err
	}
	_, err = d.create(MakeFolder, name)
	return err
}

func (d *Disk) remove(name string) error {
	p, err := d.place(name)
	if err != nil {
		return err
	}
	n := p.node()
	switch {
	case n == nil:
		return syscall.ENOENT
	case n.folder != nil && len(n.folder.live) > 0:
		return syscall.ENOTEMPTY
	}
	if err := d.operate(Remove, p.path, 0); err != nil {
		return err
	}
	p.put(nil, "remove "+p.turn(), false)
	d.release(n)
	return nil
}

func (d *Disk) removeAll(name string) error {
	n, err := d.find(name)
	if err == syscall.ENOENT {
		return nil
	}
	if err != nil {
		return err
	}
	if n.folder != nil {
		for _, child := range n.folder.names() {
			if err := d.removeAll(path.Join(name, child)); err != nil {
				return err
			}
		}
	}
	return d.remove(name)
}

func (d *Disk) link(old, name string) error {
	n, err := d.find(old)
	if err != nil {
		return err
	}
	if n.folder != nil {
		return syscall.EPERM
	}
	p, err := d.place(name)
	if err != nil {
		return err
	}
	if p.node() != nil {
		return syscall.EEXIST
	}
	if err := d.operate(Link, p.path, 0); err != nil {
		return err
	}
	p.put(n, "link "+p.turn(), false)
	return nil
}

func (d *Disk) rename(old, name string) error {
	from, err := d.place(old)
	if err != nil {
		return err
	}
	to, err := d.place(name)
	if err != nil {
		return err
	}
	n, there := from.node(), to.node()
	if n == nil {
		return syscall.ENOENT
	}
	if n == there {
		return nil
	}
	if n.folder != nil && under(from.path, to.path) {
		return syscall.EINVAL
	}
	if err := mayReplace(n, there); err != nil {
		return err
	}
	if err := d.operate(Rename, to.path, 0); err != nil {
		return err
	}
	change := "rename " + to.turn()
	to.put(n, change, false)
	from.put(nil, change, n.folder == nil)
	if there != nil {
		d.release(there)
	}
	return nil
}

// mayReplace says why what is there cannot give way to a node.
func mayReplace(n, there *node) error {
	switch {
	case there == nil:
		return nil
	case n.folder == nil && there.folder != nil:
		return syscall.EISDIR
	case n.folder != nil && there.folder == nil:
		return syscall.ENOTDIR
	case there.folder != nil && len(there.folder.live) > 0:
		return syscall.ENOTEMPTY
	}
	return nil
}
