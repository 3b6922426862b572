package directorytest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/posthouse/posthouse/internal/directory"
)

// User is an account as the suite wants it.
type User struct{ Name, Password string }

// users are who may log in while the suite is played.
func users() []User {
	return []User{
		{"jane@example.org", "a lion in the grass"},
		{"joe@example.org", "pässword-中文"},
		{"robot", `x"=, \y`},
	}
}

// RunAccounts plays the suite of accounts. The function makes those with the users.
func RunAccounts(t *testing.T, open func(t *testing.T, users []User) directory.Accounts) {
	all := users()
	a := open(t, all)
	t.Run("let in", func(t *testing.T) {
		for _, u := range all {
			for _, name := range []string{u.Name, strings.ToUpper(u.Name)} {
				is, err := a.Check(t.Context(), name, u.Password)
				if name != u.Name && errors.Is(err, directory.ErrNoLogin) {
					continue // the engine may be stricter about names
				}
				if err != nil || is.Name != u.Name {
					t.Errorf("%s: %v, %v", name, is, err)
				}
			}
		}
	})
	t.Run("not let in", func(t *testing.T) {
		long := strings.Repeat("x", 100_000)
		var wg sync.WaitGroup // at a time, since an engine may take a while to say no
		defer wg.Wait()
		for _, x := range []User{
			{"jane@example.org", "a lion in the gras"},
			{"jane@example.org", "a lion in the grass "},
			{"jane@example.org", "A lion in the grass"},
			{"jane@example.org", ""},
			{"jane@example.org", "pässword-中文"},
			{"jane@example.org", "a lion in the grass\x00"},
			{"jane@example.org", long},
			{"jane", "a lion in the grass"},
			{"jane@example.org ", "a lion in the grass"},
			{"nobody", "a lion in the grass"},
			{"", ""},
			{"", "a lion in the grass"},
			{"*", "a lion in the grass"},
			{"jane@example.org\x00", "a lion in the grass"},
			{"jane@example.org\n", "a lion in the grass"},
			{"\xff", "\xff"},
			{long, "x"},
		} {
			wg.Go(func() {
				is, err := a.Check(t.Context(), x.Name, x.Password)
				if !errors.Is(err, directory.ErrNoLogin) {
					t.Errorf("%.30q with %.30q: %v, %v", x.Name, x.Password, is, err)
				}
			})
		}
	})
	t.Run("many at a time", func(t *testing.T) { checkMany(t, a, all) })
	t.Run("ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if is, err := a.Check(ctx, "jane@example.org", "wrong"); err == nil {
			t.Errorf("let in: %v", is)
		}
	})
	if f, ok := a.(directory.Finder); ok {
		t.Run("find", func(t *testing.T) { findAll(t, f, all) })
	}
}

func checkMany(t *testing.T, a directory.Accounts, all []User) {
	var wg sync.WaitGroup
	for i := range 6 {
		u := all[i%len(all)]
		wg.Go(func() {
			if is, err := a.Check(t.Context(), u.Name, u.Password); err != nil || is.Name != u.Name {
				t.Errorf("%s: %v, %v", u.Name, is, err)
			}
			if is, err := a.Check(t.Context(), u.Name, "wrong"); !errors.Is(err, directory.ErrNoLogin) {
				t.Errorf("%s: %v, %v", u.Name, is, err)
			}
		})
	}
	wg.Wait()
}

func findAll(t *testing.T, f directory.Finder, all []User) {
	for _, u := range all {
		is, err := f.Find(t.Context(), strings.ToUpper(u.Name))
		if err != nil || is.Name != u.Name || f.HasSCRAM() && is.SCRAM == nil {
			t.Errorf("%s: %+v, %v", u.Name, is, err)
		}
	}
	for _, name := range []string{"", "nobody", "jane", "\xff", strings.Repeat("x", 100_000)} {
		if is, err := f.Find(t.Context(), name); !errors.Is(err, directory.ErrNoLogin) {
			t.Errorf("%.30q: %v, %v", name, is, err)
		}
	}
}
