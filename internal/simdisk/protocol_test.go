package simdisk_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/posthouse/posthouse/internal/simdisk"
)

const category = "test"

// step is one of a protocol that puts a text under a name.
type step struct {
	name string
	do   func(d *simdisk.Disk) error
}

// letter is more than one sector.
var letter = strings.Repeat("It rains in Beijing today.\r\n", 400)

func create(name string) step {
	return step{"create " + name, func(d *simdisk.Disk) error {
		f, err := d.Create(name, category)
		if err != nil {
			return err
		}
		_, err = io.WriteString(f, letter)
		return errors.Join(err, f.Close())
	}}
}

func sync(name string) step {
	return step{"sync " + name, func(d *simdisk.Disk) error { return syncOf(d, name) }}
}

func syncOf(d *simdisk.Disk, name string) error {
	f, err := d.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func rename(from, to string) step {
	return step{"rename " + from + " to " + to, func(d *simdisk.Disk) error { return d.Rename(from, to) }}
}

func link(from, to string) step {
	return step{"link " + from + " to " + to, func(d *simdisk.Disk) error { return d.Link(from, to) }}
}

func remove(name string) step {
	return step{"remove " + name, func(d *simdisk.Disk) error { return d.Remove(name) }}
}

// protocols are ways to put a letter at /new/a, from which a reader takes whole
// letters only. The safe ones never lose what they promised; each of the others leaves something out.
var protocols = []struct {
	name  string
	safe  bool
	steps []step
}{
	{"write, sync, rename, sync the folder", true, []step{create("/tmp/a"), sync("/tmp/a"), rename("/tmp/a", "/new/a"), sync("/new")}},
	{"write, sync, link, sync the folder, remove", true, []step{create("/tmp/a"), sync("/tmp/a"), link("/tmp/a", "/new/a"), sync("/new"), remove("/tmp/a")}},
	{"no sync of the file", false, []step{create("/tmp/a"), rename("/tmp/a", "/new/a"), sync("/new")}},
	{"no sync of the folder", false, []step{create("/tmp/a"), sync("/tmp/a"), rename("/tmp/a", "/new/a")}},
	{"sync of the wrong folder", false, []step{create("/tmp/a"), sync("/tmp/a"), rename("/tmp/a", "/new/a"), sync("/tmp")}},
	{"sync of the folder before the rename", false, []step{create("/tmp/a"), sync("/tmp/a"), sync("/new"), rename("/tmp/a", "/new/a")}},
	{"in place", false, []step{create("/new/a"), sync("/new/a"), sync("/new")}},
}

// prepared is a disk with durable folders.
func prepared(t testing.TB) *simdisk.Disk {
	t.Helper()
	d := simdisk.New(simdisk.Options{})
	for _, dir := range []string{"/tmp", "/new"} {
		if err := d.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := syncOf(d, "/"); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestProtocols: what is known to be safe is safe whenever the power goes, and what
// is known not to be is found out.
func TestProtocols(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			first, wrong := prepared(t).Operations(), 0
			for at := first + 1; ; at++ {
				done := false
				for seed := range uint64(300) {
					d := prepared(t)
					d.StopBefore(at)
					promised := run(d, p.steps) == nil
					_, stopped := d.Stopped()
					done = !stopped
					if bad := judge(d.Crash(seed), promised); bad != "" {
						wrong++
						if p.safe {
							t.Fatalf("power lost before operation %d, seed %d: %s", at-first, seed, bad)
						}
					}
				}
				if done {
					break
				}
			}
			if !p.safe && wrong == 0 {
				t.Error("nothing was ever lost")
			}
		})
	}
}

func run(d *simdisk.Disk, steps []step) error {
	for _, s := range steps {
		if err := s.do(d); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// judge says what a reader of /new would complain about.
func judge(d *simdisk.Disk, promised bool) string {
	text, err := read(d, "/new/a")
	switch {
	case errors.Is(err, syscall.ENOENT) && promised:
		return "the letter is gone"
	case errors.Is(err, syscall.ENOENT):
		return ""
	case err != nil:
		return err.Error()
	case text != letter:
		return fmt.Sprintf("the letter has %d octets and is not what was written", len(text))
	}
	return ""
}

func read(d *simdisk.Disk, name string) (string, error) {
	f, err := d.Open(name)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(f)
	return string(text), errors.Join(err, f.Close())
}

// TestARenameKeepsTheFile: a file that is on the disk has one of its names or both,
// as long as nobody synced the old folder alone.
func TestARenameKeepsTheFile(t *testing.T) {
	gone := 0
	for seed := range uint64(300) {
		for _, wrong := range []bool{false, true} {
			d := prepared(t)
			if err := run(d, []step{create("/tmp/a"), sync("/tmp/a"), sync("/tmp"), rename("/tmp/a", "/new/a")}); err != nil {
				t.Fatal(err)
			}
			if wrong {
				must(t, syncOf(d, "/tmp"))
			}
			left := tree(t, d.Crash(seed))
			if left["/tmp/a"] == letter || left["/new/a"] == letter {
				continue
			}
			gone++
			if !wrong {
				t.Errorf("seed %d: the file is gone: %v", seed, left)
			}
		}
	}
	if gone == 0 {
		t.Error("a sync of the old folder alone did no harm")
	}
}

// TestARemovalThatIsLost: a removed file that comes back has what was synced of it.
// (The model found it empty, with its room already given away.)
func TestARemovalThatIsLost(t *testing.T) {
	d := prepared(t)
	if err := run(d, []step{create("/new/a"), sync("/new/a"), sync("/new"), remove("/new/a")}); err != nil {
		t.Fatal(err)
	}
	if text, err := read(d.Crash(0), "/new/a"); err != nil || text != letter {
		t.Errorf("%d octets, %v", len(text), err)
	}
}
