package domainsetup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
)

// TestCheck: in each file of testdata/check, what stands in "zone" is found as "want" says. "+" in
// the zone stands for the records that we want, but for those that end in a name of "without"; "policy" is
// what the web server of the domain has.
func TestCheck(t *testing.T) {
	files, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d stories, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]*txtar.File{}
			for i := range a.Files {
				parts[a.Files[i].Name] = &a.Files[i]
			}
			got := story(t, parts)
			want := parts["want"]
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(want.Data) {
				t.Errorf("found is\n%s\nwant\n%s", got, want.Data)
			}
		})
	}
}

func story(t *testing.T, parts map[string]*txtar.File) string {
	t.Helper()
	s := whole(t, "sohu.test")
	w := World{DNS: dnstest.New(t, strings.ReplaceAll(string(parts["zone"].Data), "+\n", wanted(s, parts["without"])))}
	w.Fetch = func(context.Context, dns.Name) (mtasts.Policy, error) {
		if f := parts["policy"]; f != nil {
			return mtasts.ParsePolicy(string(f.Data))
		}
		return mtasts.Policy{}, errors.New("the server answers 404")
	}
	var b strings.Builder
	for _, f := range Check(t.Context(), w, s, noon) {
		fmt.Fprintf(&b, "%-8s %-8s %s: %s\n", f.State, f.For, f.About, f.Says)
		if f.Fix != "" {
			fmt.Fprintf(&b, "         -> %.150s\n", f.Fix)
		}
	}
	return b.String()
}

// wanted are the records that we want, as lines of a zone, and signed.
func wanted(s *Setup, without *txtar.File) string {
	var b strings.Builder
	for _, r := range s.Records(noon) {
		if without != nil && strings.Contains(" "+strings.Join(strings.Fields(string(without.Data)), " ")+" ", " "+r.Name.String()+"/"+r.Type+" ") {
			continue
		}
		fmt.Fprintf(&b, "%s %s %s\n%s AD\n", r.Name, r.Type, r.Value, r.Name)
	}
	return b.String()
}
