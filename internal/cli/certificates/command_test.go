package certificates

import (
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
)

func TestTable(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	all := []admin.Certificate{
		{Name: "mx.example.org", From: "mx.pem", Until: now.Add(30 * 24 * time.Hour)},
		{Name: "old.example.org", From: "old.pem", Until: now.Add(-time.Hour), Trouble: "the key is another's"},
		{Name: "new.example.org", From: "https://ca.example/dir", Trouble: "HTTP 400: nobody answers", Next: now.Add(10 * time.Minute)},
		{Name: "evil\x1b[2J", Until: now.Add(time.Hour)},
	}
	var out strings.Builder
	if err := table(all, now, &out); err != nil {
		t.Fatal(err)
	}
	want := `NAME             UNTIL         LEFT  FROM
mx.example.org   2026-12-23     30d  mx.pem
old.example.org  2026-11-23    over  old.pem
  No newer one: the key is another's
new.example.org  -                -  https://ca.example/dir; until it comes, one that was made for the run
  No newer one: HTTP 400: nobody answers; the next try is in 10m
evil\x1b[2J      2026-11-23      1h  made for the run: people's programs refuse it
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	for _, x := range []struct {
		all  []admin.Certificate
		good bool
	}{{all[:1], true}, {all[1:2], false}, {all[2:3], false}, {nil, true}} {
		if err := (&options{json: true}).print(x.all, &out); (err == nil) != x.good {
			t.Errorf("%v: %v", x.all, err)
		}
	}
}
