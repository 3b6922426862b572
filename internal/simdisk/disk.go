package simdisk

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options of a Disk. The zero value is a large disk.
type Options struct {
	// Capacity is how many octets of files it holds; 0: 1 TiB. A write past it
	// fails with ENOSPC.
	Capacity int64
}

// Disk is a disk, empty at first. Its methods may be called by many goroutines at
// once. Paths are absolute, with slashes.
type Disk struct {
	*platter
	locks map[string]bool
	meter
}

// platter is what outlives a program: a disk after [Disk.Kill] has the same one.
type platter struct {
	mu       sync.Mutex // guards the Disks of this platter, too
	root     *node
	capacity int64
	used     int64
}

// ErrDead is the error of everything that would change a disk without power.
var ErrDead = errors.New("the disk has no power")

// New makes a disk.
func New(o Options) *Disk {
	return newDisk(cmp.Or(o.Capacity, 1<<40))
}

func newDisk(capacity int64) *Disk {
	return newUser(&platter{root: newFolder("/"), capacity: capacity})
}

func newUser(p *platter) *Disk { return &Disk{platter: p, locks: map[string]bool{}} }

// node is a file or a directory, by whatever names.
type node struct {
	birth   string // the path that it was made as, and the how manieth of that path
	written time.Time
	links   int // names, in what a program sees
	handles int
	content content
	folder  *folder // nil: it is a file
}

func newFolder(birth string) *node {
	f := &folder{live: map[string]*node{}, kept: map[string]*node{}, turns: map[string]int{}}
	return &node{birth: birth, written: time.Now(), folder: f}
}

// clean makes every path begin at the root.
func clean(name string) string { return path.Clean("/" + name) }

// find returns what has that path.
func (d *Disk) find(name string) (*node, error) {
	n := d.root
	for part := range strings.SplitSeq(clean(name)[1:], "/") {
		if part == "" {
			return n, nil // the root itself
		}
		if n.folder == nil {
			return nil, syscall.ENOTDIR
		}
		if n = n.folder.live[part]; n == nil {
			return nil, syscall.ENOENT
		}
	}
	return n, nil
}

// place is where a name is or will be: a directory, and the last part.
type place struct {
	dir  *folder
	path string
	base string
}

func (d *Disk) place(name string) (place, error) {
	name = clean(name)
	dir, err := d.find(path.Dir(name))
	switch {
	case err != nil:
		return place{}, err
	case dir.folder == nil:
		return place{}, syscall.ENOTDIR
	case name == "/":
		return place{}, syscall.EBUSY
	}
	return place{dir.folder, name, path.Base(name)}, nil
}

func (p place) node() *node { return p.dir.live[p.base] }

// turn names the next change of this name, or what is made by it.
func (p place) turn() string { return p.path + "#" + strconv.Itoa(p.dir.turns[p.base]) }

// release gives the room of a file back when no program can reach it any more. Its
// octets stay: a crash may bring its name back.
func (d *Disk) release(n *node) {
	if n.links == 0 && n.handles == 0 {
		d.used -= int64(len(n.content.data))
	}
}

func (f *folder) names() []string { return slices.Sorted(maps.Keys(f.live)) }

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
