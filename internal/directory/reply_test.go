package directory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/smtp"
)

// fixed always finds the same.
type fixed struct {
	directory.Directory
	found []directory.Resolution
	err   error
}

func (f fixed) Find(context.Context, string) ([]directory.Resolution, error) { return f.found, f.err }

func mailbox(t *testing.T, s string) smtp.Path {
	t.Helper()
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func list(t *testing.T, n int) directory.Resolution {
	r := directory.Resolution{Kind: directory.Alias, Address: mailbox(t, "all@example.org")}
	for i := range n {
		r.To = append(r.To, directory.Target{To: mailbox(t, fmt.Sprintf("u%d@example.org", i))})
	}
	return r
}

func TestExpandTellsNoMoreThanAReplyHolds(t *testing.T) {
	for n, want := range map[int]smtp.Code{1: 250, 200: 250, 201: 252, 10_000: 252} {
		r, err := directory.Expand(t.Context(), fixed{found: []directory.Resolution{list(t, n)}}, "all")
		if err != nil || r.Code != want {
			t.Errorf("%d members: %v, %v", n, r, err)
			continue
		}
		if lines := strings.Count(r.Text, "\n") + 1; r.Code == 250 && lines != n || lines >= smtp.MaxReplyLines {
			t.Errorf("%d members: %d lines", n, lines)
		}
	}
	many := make([]directory.Resolution, 1000)
	for i := range many {
		many[i] = list(t, 1)
	}
	r, err := directory.Verify(t.Context(), fixed{found: many}, "all")
	if err != nil || r.Code != 553 || strings.Count(r.Text, "\n") >= smtp.MaxReplyLines {
		t.Errorf("%d lines, %v", strings.Count(r.Text, "\n"), err)
	}
}

func TestExpandDoesNotTellCommandsAndFiles(t *testing.T) {
	r := list(t, 1)
	r.To = append(r.To, directory.Target{To: r.Address, Into: "|/usr/bin/secret"}, directory.Target{To: r.Address, Into: "/secret"})
	got, err := directory.Expand(t.Context(), fixed{found: []directory.Resolution{r}}, "all")
	if err != nil || got.Error() != "250 2.1.5 u0@example.org" {
		t.Errorf("%v, %v", got, err)
	}
	r.To = r.To[1:]
	got, err = directory.Expand(t.Context(), fixed{found: []directory.Resolution{r}}, "all")
	if err != nil || got.Code != 252 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAnErrorIsNoAnswer(t *testing.T) {
	bad := errors.New("away")
	for _, ask := range []func(context.Context, directory.Directory, string) (*smtp.Reply, error){directory.Verify, directory.Expand} {
		if r, err := ask(t.Context(), fixed{err: bad}, "x"); r != nil || !errors.Is(err, bad) {
			t.Errorf("%v, %v", r, err)
		}
	}
}
