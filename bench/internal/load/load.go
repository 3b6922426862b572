// Package load gives servers mail, and takes mail from them: what stands on the
// other side of a measurement. Where Postfix is installed the peers are measured
// with its smtp-source and smtp-sink (see Find), which nobody here wrote.
package load

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The addresses in every message.
const (
	From = "from@example.org"
	To   = "to@example.com"
)

// Load is a number of messages, spread over sessions.
type Load struct {
	Sessions int
	Messages int
	Size     int  // octets of a message, roughly
	Fresh    bool // a new connection for each message
	TLS      bool // under TLS, begun by STARTTLS with a full handshake
	Bare     bool // there is no message after all: the connection is all
}

// Text is a message of about l.Size octets in lines of 72, without a dot at the
// start of a line.
func (l Load) Text() []byte {
	const line = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"
	head := "From: <" + From + ">\r\nTo: <" + To + ">\r\nSubject: bench\r\n\r\n"
	return []byte(head + strings.Repeat(line, max(1, (l.Size-len(head))/len(line))))
}

// Share runs l.Sessions at a time and waits for all. Each takes a message after
// another until take says that none is left.
func (l Load) Share(session func(take func() bool) error) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(l.Messages))
	take := func() bool { return left.Add(-1) >= 0 }
	errs := make([]error, l.Sessions)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range l.Sessions {
		wg.Go(func() { errs[i] = session(take) })
	}
	wg.Wait()
	return time.Since(start), errors.Join(errs...)
}

// Send gives the messages to the server at addr, without pipelining, as most
// clients do, and returns how long it took until the last was accepted. It ends
// early, with an error, when ctx does.
func (l Load) Send(ctx context.Context, addr string) (time.Duration, error) {
	text := append(l.Text(), ".\r\n"...)
	return l.Share(func(take func() bool) error {
		var c *Client
		defer func() { c.Close() }()
		for take() {
			if c == nil {
				var err error
				if c, err = l.dial(ctx, addr); err != nil {
					return err
				}
			}
			if err := l.give(c, text); err != nil {
				return errors.Join(ctx.Err(), err)
			}
			if !l.Fresh {
				continue
			}
			if err := c.Say([]byte("QUIT\r\n"), '2'); err != nil {
				return errors.Join(ctx.Err(), err)
			}
			c.Close()
			c = nil
		}
		return nil
	})
}

func (l Load) dial(ctx context.Context, addr string) (*Client, error) {
	if l.TLS {
		return DialTLS(ctx, addr)
	}
	return Dial(ctx, addr)
}

func (l Load) give(c *Client, text []byte) error {
	if l.Bare {
		return nil
	}
	return c.Send(text)
}
