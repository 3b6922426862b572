package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// disk is a small one.
type disk struct{ dir string }

// smallDisk mounts one until the test ends. That wants root; others skip the test.
func smallDisk(t *testing.T) *disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "disk")
	check(t, err)
	t.Cleanup(func() { _ = os.Remove(dir) })
	if err := syscall.Mount("posthouse", dir, "tmpfs", syscall.MS_NODEV|syscall.MS_NOSUID, "size=300m,mode=755"); err != nil {
		t.Skipf("no disk can be mounted for the test: %v", err)
	}
	t.Cleanup(func() { check(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return &disk{dir}
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill lets something else use all that is left.
func (d *disk) fill(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	check(t, err)
	defer f.Close()
	for size := 1 << 20; size > 0; {
		n, err := f.Write(make([]byte, size))
		if errors.Is(err, syscall.ENOSPC) || n < size {
			size /= 2
		} else {
			check(t, err)
		}
	}
}

func (d *disk) empty(t *testing.T) {
	t.Helper()
	check(t, os.Remove(d.filler()))
}
