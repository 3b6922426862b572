package daemon_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/smtp"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/directory/directorytest"
	word "github.com/posthouse/posthouse/internal/password"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// peopleHouse is a house at which the users of a configuration may log in. It returns
// where, and its log.
func peopleHouse(t *testing.T, users string) (net.Addr, *heard) {
	t.Helper()
	dir := t.TempDir()
	c, err := config.Parse(filepath.Join(dir, "house.hcl"), []byte(`
hostname = "mx.example.org"
data     = "data"
listen "submissions" { address = "127.0.0.1:0" }
route "all" {
  to      = "*"
  discard = true
}
users {
`+users+`
}
`), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := &heard{more: make(chan struct{}, 1)}
	house, err := daemon.New(t.Context(), c, daemon.World{
		Seed: 1, Log: slog.New(slog.NewTextHandler(log, nil)),
		Spool: func(*config.Config) (spool.Engine, error) { return memspool.New(memspool.Options{}), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- house.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return addressOf(t, house, "submissions"), log
}

// submit logs in and says as whom it sends.
func submit(t *testing.T, at net.Addr, auth smtp.Auth, as string) error {
	t.Helper()
	conn, err := tls.Dial("tcp", at.String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c, err := smtp.NewClient(conn, "mx.example.org")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err = c.Hello("client.example.org"); err == nil {
		err = c.Auth(auth)
	}
	if err == nil {
		err = c.Mail(as)
	}
	return err
}

func password(name, word string) smtp.Auth {
	return smtp.PlainAuth("", name, word, "mx.example.org")
}

// TestPeopleOfLDAP: whom the server lets in is let in, and sends as the addresses of
// the entry.
func TestPeopleOfLDAP(t *testing.T) {
	s := directorytest.StartSlapd(t, []directorytest.User{{Name: "jane@example.org", Password: "lion-canary"}})
	at, log := peopleHouse(t, fmt.Sprintf(`
  ldap {
    url       = "ldapi://%s"
    base      = %q
    filter    = "(|(uid=%%{name})(mail=%%{name}))"
    name      = "mail"
    addresses = ["mail"]
  }
`, s.Socket, directorytest.SlapdPeople))
	for _, x := range []struct{ name, password, as, want string }{
		{"jane@example.org", "lion-canary", "jane@example.org", ""},
		{"Jane", "lion-canary", "also-jane@example.org", ""},
		{"jane", "lion-canary", "joe@example.org", `553 "5.7.1 You may not send as <joe@example.org>"`},
		{"jane", "tiger-canary", "jane@example.org", `535 "5.7.8`},
		{"nobody", "tiger-canary", "jane@example.org", `535 "5.7.8`},
	} {
		err := submit(t, at, password(x.name, x.password), x.as)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s: %v, want %q", x.name, err, x.want)
		}
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if s := log.text.String(); strings.Contains(s, "canary") {
		t.Errorf("a password is in the log: %s", s)
	}
}

// TestPeopleOfADatabase: a row is an account.
func TestPeopleOfADatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.db")
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("CREATE TABLE users (name, password, addresses); INSERT INTO users VALUES ('jane', ?, 'jane@example.org')",
		word.NewSCRAM("lion-canary", 4096).String())
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	at, log := peopleHouse(t, fmt.Sprintf(`
  sql {
    sqlite = %q
    query  = "SELECT * FROM users WHERE name = %%{name}"
    scram  = true
  }
`, file))
	for _, x := range []struct{ name, password, as, want string }{
		{"Jane", "lion-canary", "jane@example.org", ""},
		{"jane", "lion-canary", "joe@example.org", `553 "5.7.1`},
		{"jane", "tiger-canary", "jane@example.org", `535 "5.7.8`},
		{"jane' or 'x'='x", "lion-canary", "jane@example.org", `535 "5.7.8`},
	} {
		err := submit(t, at, password(x.name, x.password), x.as)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s: %v, want %q", x.name, err, x.want)
		}
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if s := log.text.String(); strings.Contains(s, "canary") {
		t.Errorf("a password is in the log: %s", s)
	}
}
