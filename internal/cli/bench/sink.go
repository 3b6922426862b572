package bench

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// sink is a server that discards, and the flags that describe it.
type sink struct {
	addr        string
	connections int
	count       int64
	json        bool

	full    context.CancelFunc // called when count messages have come
	begun   atomic.Int64       // nanoseconds of the clock, of the first transaction
	ended   atomic.Int64       // of the last message
	taken   atomic.Int64       // messages
	octets  atomic.Int64
	talking atomic.Int64 // sessions
}

func sinkCommand() *cobra.Command {
	var s sink
	cmd := &cobra.Command{
		Use:   "sink [--smtp ADDR]",
		Short: "Take mail, throw it away and measure how fast it comes",
		Long: `Take mail, throw it away and measure how fast it comes.

On a terminal the rates are shown each second. The totals come at the end: after
--count messages, or on SIGINT or SIGTERM. The clock runs from the first message
to the last.`,
		Example: `  posthouse bench sink
  posthouse bench sink --smtp 127.0.0.1:0 --count 20000 --json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&s.addr, "smtp", cli.LocalServer, "`ADDR` to listen on, HOST:PORT (port 0: a free one)")
	f.IntVar(&s.connections, "max", 10000, "largest `NUMBER` of connections at a time")
	f.Int64Var(&s.count, "count", 0, "end after `NUMBER` messages (0: never)")
	f.BoolVar(&s.json, "json", false, "print JSON objects: the address, and then the totals")
	return cmd
}

func (s *sink) run(cmd *cobra.Command) error {
	if s.connections < 1 || s.count < 0 {
		return cli.Fail(cli.Usage, "--max must be 1 or more, and --count not be negative")
	}
	ctx, full := context.WithCancel(cmd.Context())
	defer full()
	s.full = full
	l, err := cli.Listen(ctx, s.addr)
	if err != nil {
		return err
	}
	server := &smtpserver.Server{
		Handler: s,
		Offer:   smtp.SetOf(smtp.ExtBinaryMIME, smtp.ExtSMTPUTF8),
		Limits:  smtpserver.Limits{MessageSize: -1, Connections: s.connections, PerAddress: -1},
	}
	if err := s.greet(cmd.OutOrStdout(), l.Addr().String()); err != nil {
		l.Close()
		return cli.Fail(cli.IOErr, "%w", err)
	}
	stopShow := s.show(cmd.ErrOrStderr())
	err = cli.Serve(ctx, server, l)
	stopShow()
	if err != nil {
		return err
	}
	if err := s.totals().print(cmd.OutOrStdout(), s.json); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}

func (s *sink) greet(w io.Writer, addr string) error {
	if s.json {
		return cli.PrintJSON(w, map[string]string{"smtp": addr})
	}
	_, err := fmt.Fprintf(w, "Discarding mail on %s.\n", addr)
	return err
}

// NewSession implements smtpserver.Handler.
func (s *sink) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	s.talking.Add(1)
	return discarding{s}, nil
}

// discarding is a session and every transaction of it.
type discarding struct{ *sink }

func (d discarding) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	d.begun.CompareAndSwap(0, time.Now().UnixNano())
	return d, nil
}

func (d discarding) Close() { d.talking.Add(-1) }

func (discarding) Rcpt(context.Context, smtp.Path, *smtp.RcptParams) (*smtp.Reply, error) {
	return nil, nil
}

func (discarding) Abort() {}

func (d discarding) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	n, err := io.Copy(io.Discard, body)
	if err != nil {
		return nil, err
	}
	d.ended.Store(time.Now().UnixNano())
	d.octets.Add(n)
	if d.taken.Add(1) == d.count {
		d.full()
	}
	return nil, nil
}

// show prints the rates each second if w is a terminal. The function that it
// returns ends that.
func (s *sink) show(w io.Writer) (stop func()) {
	if !cli.IsTerminal(w) {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var messages, octets int64
		for {
			select {
			case <-done:
				fmt.Fprint(w, "\r\x1b[K")
				return
			case <-tick.C:
			}
			m, o := s.taken.Load(), s.octets.Load()
			line := fmt.Sprintf("%d messages, %d/s, %s/s, %d sessions", m, m-messages, cli.Octets(o-octets), s.talking.Load())
			fmt.Fprintf(w, "\r%s\x1b[K", line[:min(len(line), cli.Width(w)-1)])
			messages, octets = m, o
		}
	}()
	return func() { close(done); <-ended }
}

// totals is what came in all. Its JSON form is for programs.
type totals struct {
	Messages    int64   `json:"messages"`
	Octets      int64   `json:"octets"`
	Seconds     float64 `json:"seconds"`
	MessageRate float64 `json:"messages_per_second"`
	OctetRate   float64 `json:"octets_per_second"`
}

func (s *sink) totals() totals {
	t := totals{Messages: s.taken.Load(), Octets: s.octets.Load()}
	if t.Messages == 0 {
		return t
	}
	t.Seconds = max(time.Duration(s.ended.Load()-s.begun.Load()), time.Nanosecond).Seconds()
	t.MessageRate = float64(t.Messages) / t.Seconds
	t.OctetRate = float64(t.Octets) / t.Seconds
	return t
}

func (t totals) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(w, t)
	}
	_, err := fmt.Fprintf(w, "%d messages, %s, in %.3f s\n%.0f messages/s, %s/s\n",
		t.Messages, cli.Octets(t.Octets), t.Seconds, t.MessageRate, cli.Octets(int64(t.OctetRate)))
	return err
}
