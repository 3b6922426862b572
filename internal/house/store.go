package house

import (
	"fmt"

	"github.com/posthouse/posthouse/internal/simdisk"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// Store is what a house keeps its mail in, from one life to the next.
type Store interface {
	// Open opens it for a life. The life closes what it got.
	Open() (spool.Engine, error)
	// Crash loses what is not durable.
	Crash()
}

// memory is a store without a disk.
func (w *World) memory(name string) Store {
	return &kept{memspool.New(memspool.Options{Random: w.random("ids of " + name)})}
}

type kept struct{ spool *memspool.Spool }

func (m *kept) Open() (spool.Engine, error) { return m.spool, nil }
func (m *kept) Crash()                      { m.spool = m.spool.Crash() }

// Disk is a store on a simulated disk.
type Disk struct {
	*simdisk.Disk
	Seed  uint64 // of what the next crash leaves
	world *World
	name  string
	opens int
}

// NewDisk makes a store on an empty disk.
func (w *World) NewDisk(name string) *Disk {
	return &Disk{Disk: simdisk.New(simdisk.Options{}), Seed: w.Seed, world: w, name: name}
}

// Open implements [Store].
func (d *Disk) Open() (spool.Engine, error) {
	d.opens++
	return pebblespool.Open("/spool", pebblespool.Options{
		FS: d.Disk, Random: d.world.random(fmt.Sprintf("ids of %s, %d", d.name, d.opens)),
		MemTable: 4 << 20, Cache: 4 << 20, Ballast: -1, MinFree: -1, LargeBody: 32 << 10,
	})
}

// Crash implements [Store].
func (d *Disk) Crash() {
	d.Disk = d.Disk.Crash(d.Seed)
	d.Seed++
}
