package simdisk_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/internal/simdisk"
)

// The specification, as simple as it can be said: a name may be after a crash
// whatever it was since the last sync of its directory; an octet of a file whatever it was since
// the last sync of the file; and the file's length lies between that of then and that of now.

// text is a file of the specification.
type text struct {
	versions [][]byte // the first is on the disk, the last is what readers see
	doubtful bool     // a sync failed: no later one means anything
}

func (x *text) live() []byte { return x.versions[len(x.versions)-1] }

// allows says what is wrong with a content that a crash left.
func (x *text) allows(got string) string {
	if len(got) < len(x.versions[0]) || len(got) > len(x.live()) {
		return fmt.Sprintf("%d octets, where there were %d and then %d", len(got), len(x.versions[0]), len(x.live()))
	}
	for i := range len(got) {
		if !slices.ContainsFunc(x.versions, func(v []byte) bool { return i < len(v) && v[i] == got[i] || i >= len(v) && got[i] == 0 }) {
			return fmt.Sprintf("octet %d is %q, which it never was", i, got[i])
		}
	}
	return ""
}

// spec is a disk with the folders /a and /b, each with a few names.
type spec struct {
	disk  *simdisk.Disk
	names map[string][]*text // by path: all it was since the last sync of its folder; nil: nothing
	tag   byte
}

var paths = []string{"/a/x", "/a/y", "/a/z", "/b/x", "/b/y", "/b/z"}

func newSpec(t *rapid.T) *spec {
	s := &spec{disk: simdisk.New(simdisk.Options{}), names: map[string][]*text{}}
	for _, dir := range []string{"/a", "/b"} {
		if err := s.disk.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range paths {
		s.names[p] = []*text{nil}
	}
	if err := syncOf(s.disk, "/"); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *spec) at(p string) *text { return s.names[p][len(s.names[p])-1] }

func (s *spec) becomes(p string, x *text) { s.names[p] = append(s.names[p], x) }

// pick draws a path, with or without a file.
func (s *spec) pick(t *rapid.T, label string, there bool) string {
	fit := slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return (s.at(p) != nil) != there })
	if len(fit) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(fit).Draw(t, label)
}

func (s *spec) create(t *rapid.T) {
	p := rapid.SampledFrom(paths).Draw(t, "path")
	f, err := s.disk.Create(p, category)
	ok(t, err)
	ok(t, f.Close())
	if s.at(p) != nil {
		s.becomes(p, nil)
	}
	s.becomes(p, &text{versions: [][]byte{{}}})
}

func (s *spec) write(t *rapid.T) {
	p := s.pick(t, "path", true)
	at, n := rapid.IntRange(0, 9000).Draw(t, "at"), rapid.IntRange(1, 9000).Draw(t, "octets")
	s.tag = s.tag%250 + 1
	more := bytes.Repeat([]byte{s.tag}, n)
	f, err := s.disk.OpenReadWrite(p, category)
	ok(t, err)
	_, err = f.WriteAt(more, int64(at))
	ok(t, err)
	ok(t, f.Close())
	x := s.at(p)
	next := slices.Clone(x.live())
	if at+n > len(next) {
		next = append(next, make([]byte, at+n-len(next))...)
	}
	copy(next[at:], more)
	x.versions = append(x.versions, next)
}

func (s *spec) sync(t *rapid.T) {
	p := s.pick(t, "path", true)
	ok(t, syncOf(s.disk, p))
	if x := s.at(p); !x.doubtful {
		x.versions = x.versions[len(x.versions)-1:]
	}
}

func (s *spec) failSync(t *rapid.T) {
	p := s.pick(t, "path", true)
	s.disk.Fail(simdisk.Fault{Kind: simdisk.Sync, Nth: 1, Err: syscall.EIO})
	if err := syncOf(s.disk, p); err == nil {
		t.Fatal("it did not fail")
	}
	s.disk.Heal()
	s.at(p).doubtful = true
}

func (s *spec) syncFolder(t *rapid.T) {
	dir := rapid.SampledFrom([]string{"/a", "/b"}).Draw(t, "folder")
	ok(t, syncOf(s.disk, dir))
	for _, p := range paths {
		if s.disk.PathDir(p) == dir {
			s.names[p] = s.names[p][len(s.names[p])-1:]
		}
	}
}

func (s *spec) rename(t *rapid.T) {
	from, to := s.pick(t, "from", true), rapid.SampledFrom(paths).Draw(t, "to")
	ok(t, s.disk.Rename(from, to))
	if x := s.at(from); x != s.at(to) {
		s.becomes(to, x)
		s.becomes(from, nil)
	}
}

func (s *spec) link(t *rapid.T) {
	from, to := s.pick(t, "from", true), s.pick(t, "to", false)
	ok(t, s.disk.Link(from, to))
	s.becomes(to, s.at(from))
}

func (s *spec) remove(t *rapid.T) {
	p := s.pick(t, "path", true)
	ok(t, s.disk.Remove(p))
	s.becomes(p, nil)
}

func (s *spec) kill(*rapid.T) { s.disk = s.disk.Kill() }

// live is what a program sees.
func (s *spec) live() map[string]string {
	all := map[string]string{"/a": "folder", "/b": "folder"}
	for _, p := range paths {
		if x := s.at(p); x != nil {
			all[p] = string(x.live())
		}
	}
	return all
}

// durable is what the disk must have.
func (s *spec) durable() map[string]string {
	all := map[string]string{"/a": "folder", "/b": "folder"}
	for _, p := range paths {
		if x := s.names[p][0]; x != nil {
			all[p] = string(x.versions[0])
		}
	}
	return all
}

func (s *spec) doubtful() bool {
	return slices.ContainsFunc(slices.Concat(slices.Collect(maps.Values(s.names))...), func(x *text) bool { return x != nil && x.doubtful })
}

// crash holds what a crash leaves against what may be left.
func (s *spec) crash(t *rapid.T, fatal testing.TB, seed uint64) {
	left := tree(fatal, s.disk.Crash(seed))
	for _, p := range paths {
		got, there := left[p]
		why := ""
		allowed := slices.ContainsFunc(s.names[p], func(x *text) bool {
			if (x != nil) != there {
				return false
			}
			if there {
				why = x.allows(got)
			}
			return why == ""
		})
		if !allowed {
			t.Fatalf("seed %d: %s is there: %v; %s", seed, p, there, why)
		}
	}
	if s.doubtful() {
		return
	}
	want := map[uint64]map[string]string{0: s.durable(), 5: s.live()}[seed]
	if diff := cmp.Diff(want, left); want != nil && diff != "" {
		t.Fatalf("seed %d: %s", seed, diff)
	}
}

func ok(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestModel: whatever a program does, it sees an ordinary disk, and a crash leaves what
// the specification allows.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSpec(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"create": s.create, "write": s.write, "sync": s.sync, "fail sync": s.failSync, "sync folder": s.syncFolder,
			"rename": s.rename, "link": s.link, "remove": s.remove, "kill": s.kill,
			"": func(rt *rapid.T) {
				if diff := cmp.Diff(s.live(), tree(t, s.disk)); diff != "" {
					rt.Fatal(diff)
				}
			},
		})
		for seed := range uint64(18) {
			s.crash(rt, t, seed)
		}
	})
}
