package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Durability of a spool that is shared: what a 250 outlives.
const (
	DurableStandby = "synchronous" // any one machine: commits wait for a synchronous standby
	DurablePrimary = "primary"     // a power cut, but not the loss of the database's primary
)

// Spool is where mail waits: on the disk of this machine, or in a database that several
// nodes share.
type Spool struct {
	FileBodies  Setting[int64] // octets: bodies from this size on are files of their own
	DraftMemory Setting[int64] // octets of bodies on their way in, of all sessions; beyond it they go to files
	Reserve     Setting[int64] // octets: with less left on the disk no mail is taken

	Postgres   Setting[string] // "postgres://USER@HOST[,HOST ...]/DATABASE", or with "?host=/DIRECTORY" for a socket; "": the disk
	CA         Setting[string] // file of trusted certificates; "": those of the system
	Password   Secret
	Durability Setting[string] // one of the two; "" if the spool is not shared
	Node       Setting[string] // name of this node, which no other has; "": the hostname
}

// Shared reports whether the spool is in a database.
func (s *Spool) Shared() bool { return s.Postgres.Value != "" }

// NodeName is the name of this node among those that share the spool.
func (c *Config) NodeName() string {
	if c.Spool.Node.Value != "" {
		return c.Spool.Node.Value
	}
	return c.Hostname.Value
}

func (s *Spool) schema() schema {
	fields := []field{
		one("file_bodies", &s.FileBodies, size(4<<10, 1<<20)),
		one("draft_memory", &s.DraftMemory, size(1<<20, 1<<40)),
		one("reserve", &s.Reserve, size(16<<20, 1<<50)),
		one("postgres", &s.Postgres, databaseURL()),
		one("ca", &s.CA, file()),
	}
	fields = append(fields, s.Password.fields("password", "password_file")...)
	return schema{title: "spool", fields: append(
		fields,
		one("durability", &s.Durability, choice(DurableStandby, DurablePrimary)),
		one("node", &s.Node, nodeName()),
	)}
}

// databaseURL is the address of a database whose primary is one of some hosts.
func databaseURL() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		if err := CheckDatabase(s); err != nil {
			return "", err
		}
		return s, nil
	}, itself)
}

// CheckDatabase says what is wrong with the address of a shared spool.
func CheckDatabase(s string) error {
	wrong := fmt.Errorf(`%q is neither "postgres://USER@HOST,HOST/DATABASE" nor "postgres://USER@/DATABASE?host=/DIRECTORY"`, withoutPassword(clip(s)))
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.User.Username() == "" || len(u.Path) < 2 || strings.Contains(u.Path[1:], "/") {
		return wrong
	}
	if _, is := u.User.Password(); is {
		return errors.New("no password is in this file: write password_file, password_env, password_command or password_credential")
	}
	more := u.Query()
	socket := more.Get("host")
	more.Del("host")
	if u.Host == "" {
		more.Del("port") // which is part of the name of a socket
	}
	if len(more) > 0 || (u.Host == "") != strings.HasPrefix(socket, "/") || u.Host != "" && socket != "" {
		return wrong
	}
	for h := range strings.SplitSeq(u.Host, ",") {
		if u.Host != "" && h == "" {
			return wrong
		}
	}
	return nil
}

// withoutPassword is an address of which nothing is shown that stands between a colon
// behind the user and the host.
func withoutPassword(s string) string {
	scheme, rest, _ := strings.Cut(s, "://")
	user, host, is := strings.Cut(rest, "@")
	if name, _, has := strings.Cut(user, ":"); is && has {
		return scheme + "://" + name + ":...@" + host
	}
	return s
}

// Local reports whether the database is on this machine, where nobody listens on the way.
func (s *Spool) Local() bool {
	u, err := url.Parse(s.Postgres.Value)
	if err != nil {
		return false
	}
	if u.Host == "" {
		return true
	}
	for at := range strings.SplitSeq(u.Host, ",") {
		host, _, err := net.SplitHostPort(at)
		if err != nil {
			host = at
		}
		if host != "localhost" && !net.ParseIP(host).IsLoopback() {
			return false
		}
	}
	return true
}

// nodeName is a name that can stand in a journal and in a table.
func nodeName() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		fits := func(r rune) bool {
			return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r)
		}
		if len(s) > 63 || strings.ContainsFunc(s, func(r rune) bool { return !fits(r) }) {
			return "", fmt.Errorf("%q is no name of a node: it has letters, digits, '-', '.' and '_', at most 63", clip(s))
		}
		return s, nil
	}, itself)
}

// checkSpool finds settings that mean nothing where the spool is.
func (d *decoder) checkSpool(s *Spool) {
	d.checkSecret("password", &s.Password)
	if s.Postgres.Given() {
		if !s.Durability.Given() {
			s.Durability = builtIn(DurableStandby)
		}
		for _, n := range []named{
			{"file_bodies", s.FileBodies.Origin, s.FileBodies.Given()},
			{"reserve", s.Reserve.Origin, s.Reserve.Given()},
		} {
			if n.set {
				d.add(n.origin, "", "%s is of no use with postgres: the database keeps the mail", n.word)
			}
		}
		return
	}
	for _, n := range []named{
		{"ca", s.CA.Origin, s.CA.Given()},
		{"password", s.Password.Origin(), s.Password.Given()},
		{"durability", s.Durability.Origin, s.Durability.Given()},
		{"node", s.Node.Origin, s.Node.Given()},
	} {
		if n.set {
			d.add(n.origin, `write postgres = "postgres://USER@HOST/DATABASE"`, "%s is of no use without postgres", n.word)
		}
	}
}
