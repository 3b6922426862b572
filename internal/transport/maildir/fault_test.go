package maildir

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// faultyDisk is a disk that notes what is asked of it and fails one kind of
// request.
type faultyDisk struct {
	Root
	fault string
	asked []string
}

func (d *faultyDisk) note(what, name string) error {
	folder, _, _ := strings.Cut(name, "/")
	d.asked = append(d.asked, what+" "+folder)
	if what == d.fault {
		return syscall.EIO
	}
	return nil
}

func (d *faultyDisk) SyncFolder(name string) error {
	return errors.Join(d.note("syncFolder", name), d.Root.SyncFolder(name))
}

func (d *faultyDisk) Create(name string) (File, error) {
	if err := d.note("create", name); err != nil {
		return nil, err
	}
	f, err := d.Root.Create(name)
	return &faultyFile{f, d}, err
}

func (d *faultyDisk) Rename(from, to string) error {
	if err := d.note("rename", to); err != nil {
		return err
	}
	return d.Root.Rename(from, to)
}

func (d *faultyDisk) Remove(name string) error {
	return errors.Join(d.note("remove", name), d.Root.Remove(name))
}

type faultyFile struct {
	File
	disk *faultyDisk
}

func (f *faultyFile) Write(p []byte) (int, error) {
	switch f.disk.note("write", ""); f.disk.fault {
	case "full disk":
		n, _ := f.File.Write(p[:len(p)/2])
		return n, syscall.ENOSPC
	case "short write":
		return f.File.Write(p[:len(p)/2])
	}
	return f.File.Write(p)
}

func (f *faultyFile) Sync() error  { return errors.Join(f.disk.note("sync", ""), f.File.Sync()) }
func (f *faultyFile) Close() error { return errors.Join(f.disk.note("close", ""), f.File.Close()) }

func openFaulty(t *testing.T, dir string) (*Maildir, *faultyDisk) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := &faultyDisk{Root: &rootDisk{root: root}}
	m, err := open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	d.asked = nil
	return m, d
}

// The promise rests on the order: the text is durable before it is visible, and
// its name is durable before Commit returns.
func TestOrderOfCommit(t *testing.T) {
	m, d := openFaulty(t, t.TempDir())
	if _, err := deliver(m, "x\r\n"); err != nil {
		t.Fatal(err)
	}
	want := []string{"create tmp", "write ", "sync ", "close ", "rename new", "syncFolder new"}
	if !slices.Equal(d.asked, want) {
		t.Errorf("the disk was asked %q, want %q", d.asked, want)
	}
}

func TestFaultLeavesNothing(t *testing.T) {
	long := strings.Repeat("x", 3*draftBuffer)
	for _, fault := range []string{"create", "full disk", "short write", "sync", "close", "rename", "syncFolder"} {
		for name, text := range map[string]string{"short": "x\r\n", "long": long} {
			t.Run(fault+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				m, d := openFaulty(t, dir)
				d.fault = fault
				if name, err := deliver(m, text); err == nil {
					t.Errorf("%s was promised", name)
				}
				if got := files(t, dir); got != nil {
					t.Errorf("%q was left", got)
				}
				d.fault = ""
				if _, err := deliver(m, text); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		}
	}
}

// A write error must not be forgotten by those who look only at Commit.
func TestCommitAfterFailedWrite(t *testing.T) {
	dir := t.TempDir()
	m, d := openFaulty(t, dir)
	d.fault = "full disk"
	draft, err := m.Create()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(draft, strings.Repeat("x", 3*draftBuffer))
	d.fault = ""
	_, _ = io.WriteString(draft, "y")
	if name, err := draft.Commit(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Commit returned %q, %v; want ENOSPC", name, err)
	}
	if got := files(t, dir); got != nil {
		t.Errorf("%q was left", got)
	}
}

func TestSyncIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := 0
		s := newSharedSync(func() error {
			begun++
			time.Sleep(time.Second)
			if begun == 2 {
				return syscall.EIO
			}
			return nil
		})
		first := make(chan error, 1)
		go func() { first <- s.sync() }()
		synctest.Wait() // the first sync runs; all that come now need another
		later := make(chan error, 5)
		for range cap(later) {
			go func() { later <- s.sync() }()
		}
		if err := <-first; err != nil {
			t.Errorf("the first sync: %v", err)
		}
		for range cap(later) {
			if err := <-later; !errors.Is(err, syscall.EIO) {
				t.Errorf("a caller was not told of the fault of its sync: %v", err)
			}
		}
		if begun != 2 {
			t.Errorf("%d syncs, want 2", begun)
		}
	})
}
