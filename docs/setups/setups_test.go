// Package setups_test loads the configurations of this directory, and holds the pages to
// them.
package setups_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
)

// machine has the files that the configurations name.
type machine fstest.MapFS

func (m machine) Open(name string) (fs.File, error) {
	if name == "/etc/resolv.conf" {
		name = "resolv"
	}
	return fstest.MapFS(m).Open(filepath.Base(name))
}

func (m machine) OpenIn(_, name string) (fs.File, error) { return m.Open(name) }

func newMachine(t *testing.T) machine {
	t.Helper()
	c, err := daemon.SelfMade(time.Now(), "mx.example.org")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	chain := &fstest.MapFile{Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), Mode: 0o644}
	private := &fstest.MapFile{Data: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), Mode: 0o600}
	secret := &fstest.MapFile{Data: []byte("hush-hush\n"), Mode: 0o600}
	return machine{
		"mx.chain.pem": chain, "app.chain.pem": chain, "inner-ca.pem": chain, "mx.key.pem": private, "app.key": private,
		"smarthost.password": secret, "provider": secret, "users": {Mode: 0o600},
		"mailboxes": {Data: []byte("jane\njoe\n")}, "aliases": {Data: []byte("sales: jane\n")}, "resolv": {Data: []byte("nameserver 127.0.0.1\n")},
	}
}

// TestSetUps: each configuration is good, with the files that it names.
func TestSetUps(t *testing.T) {
	world := daemon.World{
		Files: newMachine(t),
		Env: func(name string) (string, bool) {
			return "/run/credentials", name == "CREDENTIALS_DIRECTORY"
		},
	}
	files, err := filepath.Glob("*.hcl")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d configurations, %v", len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Parse("/etc/posthouse/posthouse.hcl", text, config.Options{})
		if err == nil {
			err = daemon.Check(t.Context(), c, world)
		}
		var problems config.Problems
		if errors.As(err, &problems) {
			for _, p := range problems {
				t.Errorf("%s: %s\n%s", name, p.Error(), p.Excerpt())
			}
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !shown(t, string(text)) {
			t.Errorf("no page shows %s as it is", name)
		}
	}
}

// TestTheCluster: the configuration of deploy/cluster is good on each of its nodes.
func TestTheCluster(t *testing.T) {
	files := newMachine(t)
	files["db-ca.pem"], files["db.password"] = files["inner-ca.pem"], files["smarthost.password"]
	text, err := os.ReadFile("../../deploy/cluster/posthouse.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"mx1", "mx2", "mx3"} {
		env := map[string]string{"NODE": node, "DB_HOSTS": "db1,db2,db3"}
		lookup := func(name string) (string, bool) { v, is := env[name]; return v, is }
		c, err := config.Parse("/etc/posthouse/posthouse.hcl", text, config.Options{Env: lookup})
		if err == nil {
			err = daemon.Check(t.Context(), c, daemon.World{Files: files, Env: lookup})
		}
		if err != nil || !c.Spool.Shared() || c.NodeName() != node {
			t.Errorf("%s: %v", node, err)
		}
	}
}

// shown reports whether a page has a text.
func shown(t *testing.T, text string) bool {
	t.Helper()
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pages {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(page), "```hcl\n"+text+"```\n") {
			return true
		}
	}
	return false
}
