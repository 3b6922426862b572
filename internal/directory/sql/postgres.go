package sql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Postgres is a server of PostgreSQL.
type Postgres struct {
	URL      string // "postgres://USER@HOST/DATABASE", or "postgres://USER@/DATABASE?host=/DIRECTORY" for a socket
	Password string
	// Roots vouch for the server; nil: those of the system. Over the network TLS is always
	// used, with a certificate that bears the host's name; not on this machine.
	Roots *x509.CertPool
	// Dial connects; nil: that of package net.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (a *Accounts) openPostgres() (err error) {
	if a.query, err = prepare(a.opts.Query, '$'); err != nil {
		return err
	}
	p := a.opts.Postgres
	c, err := pgx.ParseConfig(p.URL)
	if err != nil {
		return fmt.Errorf("the URL of the database is none: %s", reason(err))
	}
	if p.Password != "" {
		c.Password = p.Password
	}
	c.Fallbacks, c.TLSConfig = nil, nil
	if !here(c.Host) {
		c.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.Host, RootCAs: p.Roots}
	}
	if p.Dial != nil {
		c.DialFunc = p.Dial
	}
	c.ConnectTimeout = a.opts.Timeout
	c.DefaultQueryExecMode = pgx.QueryExecModeExec // nothing is kept between questions, as poolers want it
	a.db = stdlib.OpenDB(*c)
	return nil
}

// reason is an error of the parser without the URL, which might hold a password.
func reason(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}

// here reports whether a host is this machine: a directory of sockets, or loopback.
func here(host string) bool {
	ip := net.ParseIP(host)
	return strings.HasPrefix(host, "/") || host == "localhost" || ip.IsLoopback()
}
