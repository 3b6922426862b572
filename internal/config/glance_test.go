package config

import (
	"strings"
	"testing"
)

func TestGlanceMindsOnlyWhereTheHouseIs(t *testing.T) {
	for _, c := range []struct{ story, text, data, wrong string }{
		{"whole", "hostname = \"mx.sohu.example\"\ndata = \"/srv/mail\"\n", "/srv/mail", ""},
		{"relative to the file", "hostname = \"mx.sohu.example\"\ndata = \"mail\"\n", "/etc/posthouse/mail", ""},
		{"built in", "hostname = \"mx.sohu.example\"\n", defaults().Data.Value, ""},
		{"a word that nobody knows", "data = \"/srv/mail\"\nfrobnicate = 1\n", "/srv/mail", ""},
		{"an environment that only the daemon has", "data = \"/srv/mail\"\nlisten \"smtp\" { address = \"127.0.0.1:${env(\"PORT\")}\" }\n", "/srv/mail", ""},
		{"the syntax", "data = \"/srv/mail\n", "", "quote"},
		{"the data itself", "data = 5\n", "", "main.hcl:1"},
		{"the environment of the data", "data = env(\"DATA\")\n", "", "is not set"},
	} {
		t.Run(c.story, func(t *testing.T) {
			g, err := Glance("/etc/posthouse/main.hcl", []byte(c.text), Options{})
			switch {
			case c.wrong == "" && err != nil:
				t.Fatal(err)
			case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
				t.Fatalf("the error is %v, want %q in it", err, c.wrong)
			case c.wrong == "" && g.Data.Value != c.data:
				t.Errorf("data is %q, want %q", g.Data.Value, c.data)
			}
		})
	}
}
