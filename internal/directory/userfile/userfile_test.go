package userfile_test

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/directory/directorytest"
	"github.com/posthouse/posthouse/internal/directory/userfile"
	"github.com/posthouse/posthouse/internal/password"
)

var update = flag.Bool("update", false, "write anew what is said of each line")

// makeFile writes a file of users and returns its name.
func makeFile(t *testing.T, users []directorytest.User) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "users")
	err := userfile.Edit(name, func(c *userfile.Change) error {
		for _, x := range users {
			u := &userfile.User{Name: x.Name}
			if err := errors.Join(u.SetPassword(x.Password), c.Add(u)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func open(t *testing.T, name string) *userfile.File {
	t.Helper()
	f, err := userfile.Open(userfile.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSuite(t *testing.T) {
	directorytest.RunAccounts(t, func(t *testing.T, users []directorytest.User) directory.Accounts {
		f := open(t, makeFile(t, users))
		if !f.HasSCRAM() {
			t.Error("SCRAM is not offered though each user has a verifier")
		}
		return f
	})
}

// TestLines reads lines of testdata, and prints what they are; a line that is read is
// printed as it was.
func TestLines(t *testing.T) {
	a, err := txtar.ParseFile("testdata/lines.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(a.Files[0].Data)) {
		got.WriteString(told(strings.TrimSuffix(line, "\n")) + "\n")
	}
	if *update {
		a.Files[1].Data = []byte(got.String())
		if err := os.WriteFile("testdata/lines.txtar", txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(a.Files[1].Data), got.String()); diff != "" {
		t.Error(diff)
	}
}

func told(line string) string {
	u, err := userfile.ParseUser(line)
	if err != nil {
		return "! " + err.Error()
	}
	if u.String() != line {
		return "= " + u.String()
	}
	return "ok " + u.Name
}

// TestOtherProgramsHashes: what the reference implementation of argon2 prints, with the
// salt "somesalt", is read and fits.
func TestOtherProgramsHashes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	line := "jane $argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc\n" // RFC 9106's authors: test.c
	if err := os.WriteFile(name, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, name)
	if _, err := f.Check(t.Context(), "jane", "password"); err != nil {
		t.Error(err)
	}
	if f.HasSCRAM() {
		t.Error("SCRAM is offered though jane has no verifier")
	}
}

func TestModes(t *testing.T) {
	name := makeFile(t, nil)
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o644: false, 0o660: false, 0o606: false, 0o700: false} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		_, err := userfile.Open(userfile.Options{Name: name})
		if (err == nil) != good {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err := userfile.Edit(name, func(*userfile.Change) error { return nil }); (err == nil) != good {
			t.Errorf("mode %04o, changed: %v", mode, err)
		}
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %04o became %v, %v", mode, info.Mode(), err)
		}
	}
}

// TestChangesAreSeen: the file is read again when it has changed, and a change that
// cannot be used changes nothing and is told once.
func TestChangesAreSeen(t *testing.T) {
	name := makeFile(t, []directorytest.User{{Name: "jane", Password: "lion"}})
	var log strings.Builder
	f, err := userfile.Open(userfile.Options{Name: name, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	change(t, name, func(c *userfile.Change) error {
		return c.Update("jane", func(u *userfile.User) error { return u.SetPassword("tiger") })
	})
	expect(t, f, "jane", "lion", false)
	expect(t, f, "jane", "tiger", true)
	change(t, name, func(c *userfile.Change) error { return c.Remove("jane") })
	expect(t, f, "jane", "tiger", false)
	change(t, name, func(c *userfile.Change) error {
		u := &userfile.User{Name: "jane"}
		return errors.Join(u.SetPassword("lion"), c.Add(u))
	})
	expect(t, f, "jane", "lion", true)
	if err := os.WriteFile(name, []byte("jane jane\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, f, "jane", "lion", true)
	expect(t, f, "jane", "tiger", false)
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "line 1: jane: a field begins with none of") {
		t.Errorf("told %d times: %s", n, log.String())
	}
}

func change(t *testing.T, name string, f func(*userfile.Change) error) {
	t.Helper()
	if err := userfile.Edit(name, f); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, f *userfile.File, name, password string, in bool) {
	t.Helper()
	if _, err := f.Check(t.Context(), name, password); (err == nil) != in {
		t.Errorf("%s with %s: %v", name, password, err)
	}
}

// TestChangesKeepTheRest: comments, order and the lines of others stay, and a change
// that fails changes nothing.
func TestChangesKeepTheRest(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	const before = "# People.\n\nJane sends=any\n  # Programs.\nrobot\n"
	if err := os.WriteFile(name, []byte(before), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		what string
		do   func(*userfile.Change) error
		want error
	}{
		{"add one who is there", func(c *userfile.Change) error { return c.Add(&userfile.User{Name: "jane"}) }, userfile.ErrExists},
		{"remove one who is not", func(c *userfile.Change) error { return c.Remove("joe") }, userfile.ErrMissing},
		{"update one who is not", func(c *userfile.Change) error { return c.Update("# people.", nil) }, userfile.ErrMissing},
	} {
		if err := userfile.Edit(name, x.do); !errors.Is(err, x.want) {
			t.Errorf("%s: %v", x.what, err)
		}
	}
	hold(t, name, before)
	change(t, name, func(c *userfile.Change) error {
		return errors.Join(c.Add(&userfile.User{Name: "joe"}), c.Remove("JANE"))
	})
	hold(t, name, "# People.\n\n  # Programs.\nrobot\njoe\n")
	left, err := filepath.Glob(filepath.Join(filepath.Dir(name), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func hold(t *testing.T, name, want string) {
	t.Helper()
	got, err := os.ReadFile(name)
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestChangesAtATime: none of many changes is lost, and whoever reads meanwhile finds
// a whole file.
func TestChangesAtATime(t *testing.T) {
	name := makeFile(t, nil)
	f := open(t, name)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			change(t, name, func(c *userfile.Change) error { return c.Add(&userfile.User{Name: fmt.Sprintf("u%d", i)}) })
			if _, err := f.Find(t.Context(), fmt.Sprintf("u%d", i)); err != nil {
				t.Errorf("u%d is not there: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := f.Len(); n != 20 {
		t.Errorf("%d users", n)
	}
}

// TestPasswords: what SASLprep makes the same is the same, and what it forbids is
// refused with a reason that does not tell it.
func TestPasswords(t *testing.T) {
	f := open(t, makeFile(t, []directorytest.User{{Name: "jane", Password: "caf\u00e9\u00a0x"}}))
	expect(t, f, "jane", "cafe\u0301 x", true)
	for _, bad := range []string{"", "a\x07lion", strings.Repeat("lion", 1000), "\xfflion"} {
		err := new(userfile.User).SetPassword(bad)
		if !errors.Is(err, password.ErrPassword) || strings.Contains(err.Error(), "lion") {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

// TestNobodyCostsTheSame: it takes as much memory, which stands for the whole of it, to
// find out that there is no such user as that the password is wrong.
func TestNobodyCostsTheSame(t *testing.T) {
	f := open(t, makeFile(t, []directorytest.User{{Name: "jane", Password: "lion"}}))
	cost := func(name, password string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := f.Check(t.Context(), name, password); !errors.Is(err, directory.ErrNoLogin) {
			t.Error(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	wrong := cost("jane", "tiger")
	for _, x := range [][2]string{{"nobody", "tiger"}, {"", ""}, {"jane", ""}, {"jane", "\xff"}, {"nobody", "\xff"}} {
		if c := cost(x[0], x[1]); c < wrong-wrong/10 || c > wrong+wrong/10 {
			t.Errorf("%q with %q costs %d octets, a wrong password %d", x[0], x[1], c, wrong)
		}
	}
}
