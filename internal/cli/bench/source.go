package bench

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// source is a load and the flags that describe it.
type source struct {
	server   string
	sessions int
	messages int
	size     int
	fresh    bool
	pipeline bool
	tls      string
	from     string
	to       []string
	json     bool

	dialer smtpclient.Dialer
	env    smtpclient.Envelope
	body   smtpclient.Body
	bar    *cli.Progress
	taken  atomic.Int64 // messages that a session has taken on
}

func sourceCommand() *cobra.Command {
	var s source
	cmd := &cobra.Command{
		Use:   "source [--server HOST:PORT]",
		Short: "Send many messages and measure how fast they are taken",
		Long: `Send many messages and measure how fast they are taken.

The time of a message is from MAIL to the reply to its text; with --new it
begins with the connection. The percentiles of it are at most 3 % too high. The
status is 0 if every message was accepted.`,
		Example: `  posthouse bench source --messages 20000 --sessions 20
  posthouse bench source --server mail.example.org:25 --size 40000 --new --json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&s.server, "server", cli.LocalServer, "`HOST:PORT`")
	f.IntVar(&s.sessions, "sessions", 2, "`NUMBER` of connections at a time")
	f.IntVar(&s.messages, "messages", 1000, "`NUMBER` of messages in all")
	f.IntVar(&s.size, "size", 4096, "`OCTETS` of each message")
	f.BoolVar(&s.fresh, "new", false, "make a new connection for each message")
	f.BoolVar(&s.pipeline, "pipeline", true, "send commands in groups if the server lets us")
	f.StringVar(&s.tls, "tls", "never", "`POLICY`: opportunistic (the certificate does not matter) or never")
	f.StringVar(&s.from, "from", "bench@localhost", "`ADDRESS` of the sender")
	f.StringArrayVar(&s.to, "to", []string{"bench@localhost"}, "`ADDRESS` of a recipient (repeat for more)")
	f.BoolVar(&s.json, "json", false, "print one JSON object")
	return cmd
}

// minSize has room for the header of a message.
const minSize = 100

func (s *source) run(cmd *cobra.Command) error {
	if err := s.prepare(); err != nil {
		return err
	}
	s.bar = cli.NewProgress(cmd.ErrOrStderr(), "sending", int64(s.messages), decimal)
	begun := time.Now()
	all := s.load(cmd.Context())
	all.Seconds = time.Since(begun).Seconds()
	s.bar.Done()
	all.reckon(s.size)
	if err := all.print(cmd.OutOrStdout(), s.json); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	if all.Messages == s.messages {
		return nil
	}
	return cli.Fail(all.status(), "%s: %w", all.shortfall(s.messages), all.err)
}

func (s *source) prepare() error {
	var err error
	if s.server, err = cli.HostPort(s.server, "25"); err != nil {
		return err
	}
	if s.sessions < 1 || s.messages < 1 {
		return cli.Fail(cli.Usage, "--sessions and --messages must be 1 or more")
	}
	if s.size < minSize {
		return cli.Fail(cli.Usage, "--size must be %d or more, to have room for a header", minSize)
	}
	switch s.tls {
	case "never":
		s.dialer.TLS = smtpclient.TLSNever
	case "opportunistic":
		s.dialer.TLS = smtpclient.TLSOpportunistic
	default:
		return cli.Fail(cli.Usage, "--tls %q is neither opportunistic nor never", s.tls)
	}
	if s.env.From, err = smtp.ParseMailbox(s.from); err != nil {
		return cli.Fail(cli.Usage, "--from %q: %w", s.from, err)
	}
	for _, to := range s.to {
		path, err := smtp.ParseMailbox(to)
		if err != nil {
			return cli.Fail(cli.Usage, "--to %q: %w", to, err)
		}
		s.env.To = append(s.env.To, smtpclient.Recipient{Path: path})
	}
	s.env.Mail.Body = smtp.Body7Bit
	s.body = smtpclient.Bytes(text(s.size))
	return nil
}

// text makes a message of just that many octets.
func text(size int) []byte {
	var b bytes.Buffer
	b.WriteString("From: bench@localhost\r\nSubject: posthouse bench\r\n\r\n")
	line := strings.Repeat("0123456789", 7) + "12345\r\n"
	for b.Len() < size {
		b.WriteString(line)
	}
	return append(b.Bytes()[:size-2], "\r\n"...)
}

// load plays all sessions and returns what came of them.
func (s *source) load(ctx context.Context) *tally {
	var all tally
	var mu sync.Mutex
	var sessions sync.WaitGroup
	for range min(s.sessions, s.messages) {
		sessions.Go(func() {
			one := s.session(ctx)
			mu.Lock()
			defer mu.Unlock()
			all.merge(one)
		})
	}
	sessions.Wait()
	return &all
}

// session sends messages until all are taken on.
func (s *source) session(ctx context.Context) *tally {
	var one tally
	var conn *smtpclient.Conn
	for ctx.Err() == nil && !nobodyThere(one.last) && s.taken.Add(1) <= int64(s.messages) {
		conn = s.next(ctx, conn, &one)
		s.bar.Add(1)
	}
	if conn != nil {
		_ = conn.Quit(ctx)
	}
	if one.err == nil {
		one.err = ctx.Err()
	}
	return &one
}

// nobodyThere reports whether err says that no connection can be made: to try
// that again for each message would measure nothing.
func nobodyThere(err error) bool {
	var at *smtpclient.ConnectionError
	return errors.As(err, &at) && at.Stage == smtp.VerbUnknown
}

// next sends one message, over conn if there is one, and returns the connection
// for the message after it.
func (s *source) next(ctx context.Context, conn *smtpclient.Conn, t *tally) *smtpclient.Conn {
	begun := time.Now()
	if conn == nil {
		var err error
		if conn, err = s.connect(ctx); err != nil {
			t.count(err, 0)
			return nil
		}
	}
	if !s.fresh {
		begun = time.Now()
	}
	result, err := conn.Send(ctx, s.env, s.body)
	if err != nil {
		t.count(err, 0)
		_ = conn.Close()
		return nil
	}
	t.count(refusal(result), time.Since(begun))
	if s.fresh {
		_ = conn.Quit(ctx)
		return nil
	}
	return conn
}

// refusal is why a message was not accepted for all its recipients.
func refusal(result *smtpclient.Result) error {
	for i := range result.Recipients {
		if err := result.Recipients[i].Err; err != nil {
			return err
		}
	}
	return nil
}

func (s *source) connect(ctx context.Context) (*smtpclient.Conn, error) {
	conn, err := s.dialer.Dial(ctx, "tcp", s.server)
	if err == nil && !s.pipeline {
		x := conn.Extensions()
		x.Set = x.Set.Without(smtp.ExtPipelining)
	}
	return conn, err
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
