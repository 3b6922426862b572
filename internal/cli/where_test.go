package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindHouse(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := file("one.hcl", "hostname = \"mx.sohu.example\"\ndata = \"mail\"\n")
	two := file("two.hcl", "hostname = \"mx.sina.example\"\ndata = \"/srv/mail\"\n")
	broken := file("broken.hcl", "data = \"\n")
	for _, c := range []struct {
		story, env, config, data string
		want                     Where
		status                   Status
	}{
		{"a flag", "", one, "", Where{one, filepath.Join(dir, "mail"), "mx.sohu.example"}, OK},
		{"the environment", two, "", "", Where{two, "/srv/mail", "mx.sina.example"}, OK},
		{"the flag goes first", two, one, "", Where{one, filepath.Join(dir, "mail"), "mx.sohu.example"}, OK},
		{"another directory", "", one, "elsewhere", Where{one, "elsewhere", "mx.sohu.example"}, OK},
		{"no such file", "", one + "x", "", Where{}, NoInput},
		{"a broken file", "", broken, "", Where{}, Config},
	} {
		t.Run(c.story, func(t *testing.T) {
			t.Setenv(ConfigVariable, c.env)
			got, err := FindHouse(c.config, c.data)
			if status, _ := StatusOf(err); status != c.status || got != c.want {
				t.Errorf("%+v, %v (status %d), want %+v and status %d", got, err, status, c.want, c.status)
			}
			if err != nil && !strings.Contains(err.Error(), c.config) {
				t.Errorf("%q does not name the file", err)
			}
		})
	}
}

func TestFindHouseWithoutConfiguration(t *testing.T) {
	t.Setenv(ConfigVariable, "")
	w, err := FindHouse("", "here")
	if err != nil || w.Config != "" || w.Hostname == "" {
		t.Fatalf("%+v, %v", w, err)
	}
	if got := w.ControlSocket() + " " + w.SubmitSocket() + " " + w.DropDirectory(); got != "here/control.sock here/submit.sock here/drop" {
		t.Error(got)
	}
}
