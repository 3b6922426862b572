package pgspool

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// schemaName is where the tables are, unless the address says search_path.
const schemaName = "posthouse"

// config reads the address of the database.
func config(dsn string, o *Options) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, told(err)
	}
	c.MaxConns, c.MinConns = int32(o.Connections), 0
	conn := c.ConnConfig
	if o.Dial != nil {
		conn.DialFunc = o.Dial
		conn.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	}
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = o.Timeout
	}
	conn.OnNotice = notice
	conn.ValidateConnect = nil
	if len(conn.Fallbacks) > 0 || conn.RuntimeParams["target_session_attrs"] != "" {
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite // of several hosts, the primary
	}
	run := conn.RuntimeParams
	preset(run, "search_path", schemaName)
	preset(run, "application_name", strings.TrimSpace("posthouse "+printable(o.Node)))
	preset(run, "synchronous_commit", "on")
	// A node that stops in the middle of a transaction, or whose machine is gone, must not
	// keep the others from taking its leases when they are over.
	preset(run, "idle_in_transaction_session_timeout", "10s")
	preset(run, "tcp_user_timeout", "20s")
	run["timezone"] = "UTC"
	run["default_transaction_isolation"] = "read committed"
	run["jit"] = "off"
	// Each query here goes by an index. A plan that was made while a table was small
	// must not read it whole once a million messages are there.
	for _, way := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan"} {
		run[way] = "off"
	}
	return c, nil
}

func preset(params map[string]string, name, value string) {
	if params[name] == "" {
		params[name] = value
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
}

// The key of what a connection remembers: that a commit of it is known only to the primary.
const weak = "posthouse.weak"

// notice hears warnings. The one that counts comes with a commit that was cancelled while it waited
// for its standby: the database then says that all went well.
func notice(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.Code == codeWarning {
		c.CustomData()[weak] = true
	}
}

var errWeak = errors.New("the database ended the wait for its standby")

// run sends a batch as one transaction, in one piece, and hears what it came to. An
// error may mean doubt: see inDoubt.
func (s *Spool) run(ctx context.Context, b *pgx.Batch) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return send(ctx, conn.Conn(), b)
}

func send(ctx context.Context, c *pgx.Conn, b *pgx.Batch) error {
	err := c.SendBatch(ctx, b).Close()
	if err == nil && c.PgConn().CustomData()[weak] != nil {
		err = fmt.Errorf("%w", errWeak)
	}
	if err != nil { // a lock of its session may be left, or an answer be under way
		_ = c.Close(context.WithoutCancel(ctx))
	}
	return err
}
