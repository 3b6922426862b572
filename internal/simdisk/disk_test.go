package simdisk_test

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/simdisk"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheSameSeedTellsTheSameStory: what is left does not hang on the order in
// which files were written.
func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	for seed := range uint64(50) {
		a, b := prepared(t), prepared(t)
		for _, name := range []string{"/new/a", "/new/b", "/tmp/c"} {
			must(t, create(name).do(a))
		}
		for _, name := range []string{"/tmp/c", "/new/b", "/new/a"} {
			must(t, create(name).do(b))
		}
		if diff := cmp.Diff(tree(t, a.Crash(seed)), tree(t, b.Crash(seed))); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

// TestCrashesDiffer: all that the rules allow does happen.
func TestCrashesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(500) {
		d := prepared(t)
		must(t, create("/tmp/a").do(d))
		must(t, d.Rename("/tmp/a", "/new/a"))
		left := tree(t, d.Crash(seed))
		text, renamed := left["/new/a"]
		_, old := left["/tmp/a"]
		switch {
		case renamed && old:
			seen["both names"] = true
		case old:
			seen["the rename lost"] = true
		case !renamed:
			seen["nothing"] = true
		}
		if !renamed {
			continue
		}
		switch {
		case text == letter:
			seen["everything"] = true
		case text == "":
			seen["no octet"] = true
		case strings.HasPrefix(letter, text):
			seen["a beginning"] = true
		case strings.Trim(text, "\x00") == "":
			seen["zeros"] = true
		case strings.Contains(text, "\x00"):
			seen["holes"] = true
		}
	}
	for _, what := range []string{"both names", "the rename lost", "nothing", "everything", "no octet", "a beginning", "zeros", "holes"} {
		if !seen[what] {
			t.Errorf("no seed leaves %s", what)
		}
	}
}

// TestKill: nothing is lost with the program, but it is not durable by that.
func TestKill(t *testing.T) {
	d := prepared(t)
	must(t, create("/new/a").do(d))
	left := d.Kill()
	if text, err := read(left, "/new/a"); err != nil || text != letter {
		t.Errorf("%d octets, %v", len(text), err)
	}
	if _, err := read(left.Crash(0), "/new/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after a crash: %v", err)
	}
}

// TestDead: who still has the disk that was lost cannot change what is left.
func TestDead(t *testing.T) {
	for name, end := range map[string]func(*simdisk.Disk) *simdisk.Disk{
		"crash": func(d *simdisk.Disk) *simdisk.Disk { return d.Crash(1) },
		"kill":  (*simdisk.Disk).Kill,
	} {
		d := prepared(t)
		f, err := d.Create("/new/a", category)
		must(t, err)
		must(t, errors.Join(f.Sync(), syncOf(d, "/new")))
		left := end(d)
		if _, err := io.WriteString(f, "late"); !errors.Is(err, simdisk.ErrDead) {
			t.Errorf("%s: write: %v", name, err)
		}
		for what, err := range map[string]error{
			"sync": f.Sync(), "rename": d.Rename("/new/a", "/new/b"), "remove": d.Remove("/new/a"),
			"link": d.Link("/new/a", "/new/b"), "folder": d.MkdirAll("/x", 0), "create": create("/new/c").do(d),
		} {
			if !errors.Is(err, simdisk.ErrDead) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		if diff := cmp.Diff(map[string]string{"/new": "folder", "/tmp": "folder", "/new/a": ""}, tree(t, left)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		must(t, f.Close())
	}
}

// TestAFailedSyncIsFinal: the sync after one that failed says that all is well, and
// what the first one lost is lost (Linux does so since it has fsync).
func TestAFailedSyncIsFinal(t *testing.T) {
	d := prepared(t)
	f, err := d.Create("/new/a", category)
	must(t, err)
	must(t, syncOf(d, "/new"))
	_, err = io.WriteString(f, letter)
	must(t, err)
	d.Fail(simdisk.Fault{Kind: simdisk.Sync, Under: "/new", Nth: 1, Err: syscall.EIO})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("the first: %v", err)
	}
	must(t, f.Sync())
	if text, _ := read(d, "/new/a"); text != letter {
		t.Error("the reader does not see it any more")
	}
	text, err := read(d.Crash(5), "/new/a")
	if want := strings.Repeat("\x00", len(letter)); err != nil || text != want {
		t.Errorf("after a crash %.40q, %v", text, err)
	}
}

// TestFaults: the operation that was meant fails, and no other one.
func TestFaults(t *testing.T) {
	d := prepared(t)
	d.Fail(simdisk.Fault{Kind: simdisk.Write, Under: "/new/b", Nth: 2, Err: syscall.EIO, Short: 3})
	a, err := d.Create("/new/a", category)
	must(t, err)
	b, err := d.Create("/new/b", category)
	must(t, err)
	for _, c := range []struct {
		f    io.Writer
		n    int
		want error
	}{{b, 5, nil}, {a, 5, nil}, {a, 5, nil}, {b, 3, syscall.EIO}, {b, 5, nil}} {
		if n, err := io.WriteString(c.f, "12345"); n != c.n || !errors.Is(err, c.want) {
			t.Errorf("%d octets, %v; want %d, %v", n, err, c.n, c.want)
		}
	}
	if text, _ := read(d, "/new/b"); text != "1234512312345" {
		t.Errorf("b is %q", text)
	}
	d.Fail(simdisk.Fault{Kind: simdisk.SyncFolder, Nth: 1, Forever: true, Err: syscall.EROFS})
	for range 2 {
		if err := syncOf(d, "/new"); !errors.Is(err, syscall.EROFS) {
			t.Errorf("sync of the folder: %v", err)
		}
	}
	d.Heal()
	must(t, syncOf(d, "/new"))
	d.Fail(simdisk.Fault{Kind: simdisk.Read, Nth: 1, Err: syscall.EIO})
	if _, err := read(d, "/new/b"); !errors.Is(err, syscall.EIO) {
		t.Errorf("read: %v", err)
	}
}

// TestFull: what fits is written, and there is room again when a file is gone and
// nobody has it open.
func TestFull(t *testing.T) {
	d := simdisk.New(simdisk.Options{Capacity: 8})
	f, err := d.Create("/a", category)
	must(t, err)
	if n, err := io.WriteString(f, "0123456789"); n != 8 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%d octets, %v", n, err)
	}
	must(t, d.Remove("/a"))
	if u, _ := d.GetDiskUsage("/"); u.AvailBytes != 0 {
		t.Errorf("an open file gave its room back: %+v", u)
	}
	must(t, f.Close())
	if u, _ := d.GetDiskUsage("/"); u.AvailBytes != 8 {
		t.Errorf("a removed file has room: %+v", u)
	}
	d.Resize(0)
	if err := create("/b").do(d); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a disk without room: %v", err)
	}
}

// TestStopBefore: the operation before which the power goes has not happened, and is named.
func TestStopBefore(t *testing.T) {
	d := prepared(t)
	var seen []string
	d.Watch(func(o simdisk.Operation) { seen = append(seen, o.String()) })
	d.StopBefore(d.Operations() + 3)
	err := run(d, protocols[0].steps)
	if before, stopped := d.Stopped(); !stopped || before.String() != "sync /tmp/a" || !errors.Is(err, simdisk.ErrDead) {
		t.Errorf("stopped %v before %v, %v", stopped, before, err)
	}
	if diff := cmp.Diff([]string{"create /tmp/a", "write /tmp/a, 11200 octets"}, seen); diff != "" {
		t.Error(diff)
	}
	if text, err := read(d.Crash(0), "/tmp/a"); err == nil {
		t.Errorf("nothing was synced, and there are %d octets", len(text))
	}
}

// TestWhatCannotBe: misuse gets the errors of a real disk.
func TestWhatCannotBe(t *testing.T) {
	d := prepared(t)
	must(t, create("/new/a").do(d))
	read, err := d.Open("/new/a")
	must(t, err)
	_, writing := read.Write([]byte("x"))
	_, reading := d.Open("/new/none")
	_, folder := d.OpenDir("/new/a")
	_, list := d.List("/new/a")
	held, err := d.Lock("/LOCK")
	must(t, err)
	_, again := d.Lock("/LOCK")
	must(t, held.Close())
	for _, c := range []struct {
		what      string
		got, want error
	}{
		{"write to a file opened for reading", writing, syscall.EBADF},
		{"open nothing", reading, fs.ErrNotExist},
		{"open a file as a folder", folder, syscall.ENOTDIR},
		{"list a file", list, syscall.ENOTDIR},
		{"lock twice", again, syscall.EAGAIN},
		{"remove a folder with something in it", d.Remove("/new"), syscall.ENOTEMPTY},
		{"rename a folder into itself", d.Rename("/new", "/new/x"), syscall.EINVAL},
		{"rename a file over a folder", d.Rename("/new/a", "/tmp"), syscall.EISDIR},
		{"rename a folder over a file", d.Rename("/tmp", "/new/a"), syscall.ENOTDIR},
		{"link over a file", d.Link("/new/a", "/new/a"), fs.ErrExist},
		{"link a folder", d.Link("/new", "/x"), syscall.EPERM},
		{"make a folder where a file is", d.MkdirAll("/new/a/b", 0), syscall.ENOTDIR},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

// tree is all that is on a disk, by path.
func tree(t testing.TB, d *simdisk.Disk) map[string]string {
	t.Helper()
	all := map[string]string{}
	var walk func(dir string)
	walk = func(dir string) {
		names, err := d.List(dir)
		must(t, err)
		for _, name := range names {
			name = d.PathJoin(dir, name)
			info, err := d.Stat(name)
			must(t, err)
			if info.IsDir() {
				all[name] = "folder"
				walk(name)
				continue
			}
			all[name], err = read(d, name)
			must(t, err)
		}
	}
	walk("/")
	return all
}
