package ldap_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/directory/directorytest"
	"github.com/posthouse/posthouse/internal/directory/ldap"
)

const (
	people    = directorytest.SlapdPeople
	admin     = directorytest.SlapdAdmin
	adminWord = directorytest.SlapdPassword
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quick is how long no takes in tests.
const quick = 50 * time.Millisecond

func searched(s *directorytest.Slapd) ldap.Options {
	return ldap.Options{
		Network: "unix", Address: s.Socket, Base: people, Filter: "(&(objectClass=inetOrgPerson)(mail=%{name}))",
		User: admin, Password: adminWord, Name: "mail", Patience: quick,
	}
}

func open(t *testing.T, o ldap.Options) directory.Accounts {
	t.Helper()
	a, err := ldap.New(o)
	check(t, err)
	t.Cleanup(func() { _ = a.(io.Closer).Close() })
	return a
}

func TestSuite(t *testing.T) {
	for name, options := range map[string]func(s *directorytest.Slapd) ldap.Options{
		"searched": searched,
		"searched by nobody": func(s *directorytest.Slapd) ldap.Options {
			o := searched(s)
			o.User, o.Password = "", ""
			return o
		},
		"by name of entry": func(s *directorytest.Slapd) ldap.Options {
			return ldap.Options{Network: "unix", Address: s.Socket, Entry: "uid=%{user}+mail=%{name}," + people, Patience: quick}
		},
	} {
		t.Run(name, func(t *testing.T) {
			directorytest.RunAccounts(t, func(t *testing.T, users []directorytest.User) directory.Accounts {
				return open(t, options(directorytest.StartSlapd(t, users)))
			})
		})
	}
}

// TestNamesThatAreNone: what means something to LDAP means nothing in a name; and a name
// that LDAP takes for another is nobody's.
func TestNamesThatAreNone(t *testing.T) {
	s := directorytest.StartSlapd(t, []directorytest.User{{Name: "jane@example.org", Password: "lion-canary"}})
	byUID := searched(s)
	byUID.Filter = "(uid=%{name})"
	byEntry := ldap.Options{Network: "unix", Address: s.Socket, Entry: "uid=%{user}+mail=%{name}," + people, Patience: time.Millisecond}
	byUID.Patience = time.Millisecond
	for _, o := range []ldap.Options{byUID, byEntry} {
		a := open(t, o)
		for _, name := range []string{
			"*", "j*", "jane)(uid=*", "jane)(|(uid=*", "*)(objectClass=*", "jane\\2a", "jane,ou=people", "jane+cn=x", "\"jane\"", "#jane", "j\\61ne",
			" jane", "jane ", "ja ne", "ｊａｎｅ", "ja\u00adne", "jane\u200b", "jane\x00", "JÀNE",
		} {
			if is, err := a.Check(t.Context(), name, "lion-canary"); !errors.Is(err, directory.ErrNoLogin) {
				t.Errorf("%q: %v, %v", name, is, err)
			}
		}
	}
	if is, err := open(t, byUID).Check(t.Context(), "Jane", "lion-canary"); err != nil || is.Name != "jane@example.org" {
		t.Errorf("%v, %v", is, err)
	}
}

func TestAddressesOfAnEntry(t *testing.T) {
	s := directorytest.StartSlapd(t, []directorytest.User{{Name: "jane@example.org", Password: "lion-canary"}})
	o := searched(s)
	o.Addresses = []string{"mail", "uid"}
	byEntry := ldap.Options{
		Network: "unix", Address: s.Socket, Entry: "uid=%{user}+mail=%{name}," + people, Addresses: []string{"mail"}, Patience: quick,
	}
	nothing := searched(s)
	nothing.Addresses = []string{"description"}
	for _, x := range []struct {
		o    ldap.Options
		want string
	}{{o, "jane@example.org,also-jane@example.org"}, {byEntry, "jane@example.org,also-jane@example.org"}, {nothing, ""}} {
		is, err := open(t, x.o).Check(t.Context(), "jane@example.org", "lion-canary")
		if err != nil || is.Sends == nil || strings.Join(is.Sends.List, ",") != x.want {
			t.Errorf("%+v, %v", is, err)
		}
	}
}

// TestTLS: it begins at once or after a command, and a server that is not who it should
// be hears no password.
func TestTLS(t *testing.T) {
	s := directorytest.StartSlapd(t, []directorytest.User{{Name: "jane@example.org", Password: "lion-canary"}})
	plain, secure := s.At(t, nil), s.At(t, &tls.Config{Certificates: []tls.Certificate{s.Keys}})
	good, stranger := &tls.Config{RootCAs: s.Roots, ServerName: "ldap.example.org"}, &tls.Config{RootCAs: s.Roots, ServerName: "other.example.org"}
	for _, x := range []struct {
		name, at string
		tls      *tls.Config
		start    bool
		want     string
	}{
		{"StartTLS", plain, good, true, ""},
		{"at once", secure, good, false, ""},
		{"in clear on this machine", plain, nil, false, ""},
		{"StartTLS with a stranger", plain, stranger, true, "not other.example.org"},
		{"a stranger at once", secure, stranger, false, "not other.example.org"},
		{"TLS where there is none", plain, good, false, "EOF"},
	} {
		t.Run(x.name, func(t *testing.T) {
			o := searched(s)
			o.Network, o.Address, o.TLS, o.StartTLS = "tcp", x.at, x.tls, x.start
			is, err := open(t, o).Check(t.Context(), "jane@example.org", "lion-canary")
			switch {
			case x.want == "" && (err != nil || is.Name != "jane@example.org"):
				t.Errorf("%v, %v", is, err)
			case x.want != "" && (err == nil || errors.Is(err, directory.ErrNoLogin) || !strings.Contains(err.Error(), x.want)):
				t.Errorf("%v, %v, want %q", is, err, x.want)
			}
		})
	}
}

// TestTrouble is what is no answer: for now, and with a reason that holds no password.
func TestTrouble(t *testing.T) {
	s := directorytest.StartSlapd(t, []directorytest.User{{Name: "jane@example.org", Password: "lion-canary"}})
	silent, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	check(t, err)
	defer silent.Close()
	for _, x := range []struct {
		name  string
		spoil func(o *ldap.Options)
		want  string
	}{
		{"away", func(o *ldap.Options) { o.Address += "-away" }, "no such file"},
		{"silent", func(o *ldap.Options) {
			o.Network, o.Address, o.Timeout = "tcp", silent.Addr().String(), 50*time.Millisecond
		}, "deadline exceeded"},
		{"may not search", func(o *ldap.Options) { o.Password = "wrong-canary" }, `bind as "cn=admin,dc=example,dc=org": LDAP Result Code 49`},
		{"fits two", func(o *ldap.Options) { o.Filter = "(|(uid=twin)(uid=%{name}))" }, "fits more than one entry"},
		{"has no name", func(o *ldap.Options) { o.Name = "description" }, "the entry has no attribute description"},
	} {
		t.Run(x.name, func(t *testing.T) {
			o := searched(s)
			x.spoil(&o)
			is, err := open(t, o).Check(t.Context(), "jane@example.org", "lion-canary")
			if err == nil || errors.Is(err, directory.ErrNoLogin) || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%v, %v, want %q", is, err, x.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if is, err := open(t, searched(s)).Check(ctx, "jane@example.org", "lion-canary"); err == nil {
		t.Errorf("%v", is)
	}
}

// TestAConnectionThatHasDied: another one is made, and nobody hears of it.
func TestAConnectionThatHasDied(t *testing.T) {
	s := directorytest.StartSlapd(t, []directorytest.User{{Name: "jane@example.org", Password: "lion-canary"}})
	var made []net.Conn
	o := searched(s)
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		made = append(made, conn)
		return conn, err
	}
	a := open(t, o)
	for i, want := range []int{1, 1, 2} {
		if i == 2 {
			made[0].Close()
		}
		if is, err := a.Check(t.Context(), "jane@example.org", "lion-canary"); err != nil || len(made) != want {
			t.Errorf("%v, %v, after %d connections, want %d", is, err, len(made), want)
		}
	}
}

// TestNoTakesTheSameTime: whether the name or the password is wrong.
func TestNoTakesTheSameTime(t *testing.T) {
	s := directorytest.StartSlapd(t, []directorytest.User{{Name: "jane@example.org", Password: "lion-canary"}})
	o := searched(s)
	o.Patience = 300 * time.Millisecond
	a := open(t, o)
	for _, u := range [][2]string{{"jane@example.org", "wrong"}, {"nobody@example.org", "wrong"}, {"jane@example.org", ""}, {" ", "wrong"}} {
		began := time.Now()
		if _, err := a.Check(t.Context(), u[0], u[1]); !errors.Is(err, directory.ErrNoLogin) || time.Since(began) < o.Patience {
			t.Errorf("%q: %v after %v", u[0], err, time.Since(began))
		}
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	here := ldap.Options{Network: "unix", Address: "/run/ldapi"}
	for _, x := range []struct {
		spoil func(o *ldap.Options)
		want  string
	}{
		{func(o *ldap.Options) { o.Network, o.Address, o.Filter = "tcp", "ldap.example.org:389", "(uid=%{name})" }, "in clear"},
		{func(o *ldap.Options) { o.Filter = "(uid=jane)" }, "fit anybody"},
		{func(o *ldap.Options) { o.Filter = "(%{name}=jane)" }, "only as a value"},
		{func(o *ldap.Options) { o.Filter = "(&(uid=x)%{name})" }, "only as a value"},
		{func(o *ldap.Options) { o.Filter = "(uid=%{name}" }, "RFC 4515"},
		{func(o *ldap.Options) { o.Filter, o.Base = "(uid=%{name})", "people" }, "the base is no name"},
		{func(o *ldap.Options) { o.Entry = people }, "everybody's"},
		{func(o *ldap.Options) { o.Entry = "%{name}," + people }, "RFC 4514"},
		{func(o *ldap.Options) { o.Entry = "%{user}=x," + people }, "only as a value"},
	} {
		o := here
		x.spoil(&o)
		if _, err := ldap.New(o); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%+v: %v, want %q", o, err, x.want)
		}
	}
}
