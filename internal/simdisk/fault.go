package simdisk

import (
	"fmt"
	"strings"
	"time"
)

// Kind is a kind of operation.
type Kind int

// The kinds of operations. All but Read are to change the disk.
const (
	Any        Kind = iota // in a Fault: each that is to change the disk
	Create                 // of a file
	Write                  // of octets
	Sync                   // of a file
	SyncFolder             // of a directory
	Rename                 // of a file or directory
	Remove                 // of a file or directory
	Link                   // of a file
	MakeFolder             // of a directory
	Read                   // of octets
)

func (k Kind) String() string {
	return [...]string{"any", "create", "write", "sync", "sync folder", "rename", "remove", "link", "make folder", "read"}[k]
}

// Operation is one that is to change the disk.
type Operation struct {
	Kind   Kind
	Name   string // the path; of a rename the new one
	Length int    // octets, of a Write
}

func (o Operation) String() string {
	if o.Kind == Write {
		return fmt.Sprintf("%v %s, %d octets", o.Kind, o.Name, o.Length)
	}
	return fmt.Sprintf("%v %s", o.Kind, o.Name)
}

// Fault is an operation that fails.
type Fault struct {
	Kind Kind
	// Under is the directory, or the file, that it must be about; "": any.
	Under string
	// Nth is which one of them fails, counted from 1 and from the call of [Disk.Fail].
	Nth int
	// Forever: those after it fail, too.
	Forever bool
	// Err is the error, such as syscall.EIO or ENOSPC.
	Err error
	// Short is how many octets a Write that fails writes all the same.
	Short int
}

// meter counts operations, and fails some.
type meter struct {
	operations int
	stopAt     int
	stopped    Operation
	stoppedAt  time.Time
	dead       bool
	faults     []*Fault
	watch      func(Operation)
}

// Operations is how many operations were to change the disk so far.
func (d *Disk) Operations() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.operations
}

// Watch calls f before each operation that is to change the disk, one at a time. f
// must not use the disk.
func (d *Disk) Watch(f func(Operation)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watch = f
}

// StopBefore cuts the power before the nth operation that is to change the disk,
// counted from 1 and from when the disk was made: neither that one nor any after
// it happens ([ErrDead]). [Disk.Crash] then tells what is left.
func (d *Disk) StopBefore(nth int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopAt = nth
}

// Stopped tells whether [Disk.StopBefore] has cut the power, and before what.
func (d *Disk) Stopped() (before Operation, stopped bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stopped, d.stopAt > 0 && d.operations >= d.stopAt
}

// StoppedAt is when [Disk.StopBefore] has cut the power; zero: it has not.
func (d *Disk) StoppedAt() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stoppedAt
}

// Fail makes an operation fail.
func (d *Disk) Fail(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.Under != "" {
		f.Under = clean(f.Under)
	}
	d.faults = append(d.faults, &f)
}

// Heal ends all faults.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = nil
}

// operate counts an operation that is to change the disk, and says why it must not.
// A [shortError] means that a part of it is to be done.
func (d *Disk) operate(k Kind, name string, length int) error {
	op := Operation{k, name, length}
	d.operations++
	if d.operations == d.stopAt {
		d.dead, d.stopped, d.stoppedAt = true, op, time.Now()
	}
	if d.dead {
		return ErrDead
	}
	if d.watch != nil {
		d.watch(op)
	}
	if f := d.fault(k, name); f != nil {
		return &shortError{f.Err, f.Short}
	}
	return nil
}

// fault returns the one that is due now.
func (d *Disk) fault(k Kind, name string) (due *Fault) {
	for _, f := range d.faults {
		meant := f.Kind == k || f.Kind == Any && k != Read
		if !meant || !under(f.Under, name) {
			continue
		}
		f.Nth--
		if f.Nth == 0 || f.Nth < 0 && f.Forever {
			due = f
		}
	}
	return due
}

// under reports whether a path is a directory's, or of something in it.
func under(dir, name string) bool {
	return dir == "" || dir == "/" || name == dir || strings.HasPrefix(name, dir+"/")
}

// shortError is a planned failure, with how much is done before it.
type shortError struct {
	error
	short int
}

func (e *shortError) Unwrap() error { return e.error }
