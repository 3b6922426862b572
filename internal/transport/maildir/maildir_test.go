package maildir

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func openTest(t *testing.T, dir string) *Maildir {
	t.Helper()
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func deliver(m *Maildir, text string) (string, error) {
	d, err := m.Create()
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(d, text); err != nil {
		d.Abort()
		return "", err
	}
	return d.Commit()
}

// files lists what is in the folders of a Maildir, as "new/name".
func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range found {
		found[i], _ = filepath.Rel(dir, path)
	}
	return found
}

func TestDelivered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er", "box")
	m := openTest(t, dir)
	text := "Return-Path: <a@b.example>\r\n\r\n" + strings.Repeat("body\r\n", 20_000)
	name, err := deliver(m, text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != text {
		t.Errorf("read back %d octets, %v; want %d", len(got), err, len(text))
	}
	if got := files(t, dir); len(got) != 1 || got[0] != name {
		t.Errorf("the Maildir holds %q, want %q alone", got, name)
	}
	for path, want := range map[string]fs.FileMode{".": 0o700, "..": 0o700, "tmp": 0o700, "new": 0o700, "cur": 0o700, name: 0o600} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestAborted(t *testing.T) {
	dir := t.TempDir()
	m := openTest(t, dir)
	d, err := m.Create()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(d, "half a mess")
	d.Abort()
	d.Abort()
	if got := files(t, dir); got != nil {
		t.Errorf("an aborted message left %q", got)
	}
	if _, err := d.Commit(); err == nil {
		t.Error("a message was committed after its end")
	}
	if _, err := io.WriteString(d, "age"); err == nil {
		t.Error("a message was written after its end")
	}
}

func TestAbortAfterCommitDoesNothing(t *testing.T) {
	dir := t.TempDir()
	d, err := openTest(t, dir).Create()
	if err != nil {
		t.Fatal(err)
	}
	name, err := d.Commit()
	if err != nil {
		t.Fatal(err)
	}
	d.Abort()
	if got := files(t, dir); len(got) != 1 || got[0] != name {
		t.Errorf("the Maildir holds %q, want %q", got, name)
	}
}

func TestNames(t *testing.T) {
	n := &namer{host: escapeHost("a/b:c.example"), pid: 42}
	got := n.next(time.Unix(1700000000, 123456789))
	want := regexp.MustCompile(`^1700000000\.M123456P42Q1R[0-9a-f]{16}\.a\\057b\\072c\.example$`)
	if !want.MatchString(got) {
		t.Errorf("name is %q, want %v", got, want)
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	m := openTest(t, dir)
	const writers, each = 8, 10
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				if _, err := deliver(m, "x\r\n"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := len(files(t, dir)); got != writers*each {
		t.Errorf("%d messages came of %d", got, writers*each)
	}
}

func TestStaleFilesGo(t *testing.T) {
	dir := t.TempDir()
	openTest(t, dir)
	old, young := filepath.Join(dir, "tmp", "old"), filepath.Join(dir, "tmp", "young")
	unread := filepath.Join(dir, "new", "unread")
	for _, path := range []string{old, young, unread} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, age := range map[string]time.Duration{old: 37 * time.Hour, young: 35 * time.Hour, unread: 999 * time.Hour} {
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	openTest(t, dir)
	if got := strings.Join(files(t, dir), " "); got != "new/unread tmp/young" {
		t.Errorf("after opening again there is %q, want new/unread and tmp/young", got)
	}
}

// A link in the place of a folder may have been put there to have us write
// somewhere else.
func TestLinksAreNotFollowed(t *testing.T) {
	t.Run("before open", func(t *testing.T) {
		dir, outside := t.TempDir(), t.TempDir()
		if err := os.Symlink(outside, filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
		if m, err := Open(dir); err == nil {
			m.Close()
			t.Error("a Maildir whose new is a link was opened")
		}
	})
	for _, folder := range []string{"tmp", "new"} {
		t.Run(folder+" after open", func(t *testing.T) {
			dir, outside := t.TempDir(), t.TempDir()
			m := openTest(t, dir)
			path := filepath.Join(dir, folder)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, path); err != nil {
				t.Fatal(err)
			}
			if name, err := deliver(m, "x\r\n"); err == nil {
				t.Errorf("delivered to %s", name)
			}
			if got, _ := os.ReadDir(outside); len(got) != 0 {
				t.Errorf("%v was written outside", got)
			}
			if got, _ := filepath.Glob(filepath.Join(dir, "[nt][em][wp]", "*")); got != nil {
				t.Errorf("%q was left", got)
			}
		})
	}
}

func TestNotADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{path, filepath.Join(path, "below")} {
		if m, err := Open(dir); err == nil {
			m.Close()
			t.Errorf("%s was opened", dir)
		}
	}
}
