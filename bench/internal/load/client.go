package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
)

// Client is the least of a client.
type Client struct {
	nc    net.Conn
	r     *bufio.Reader
	watch func() bool // ends the watch over the context
}

// Dial connects and says EHLO. The connection is cut when ctx ends.
func Dial(ctx context.Context, addr string) (*Client, error) {
	d := net.Dialer{KeepAlive: -1}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	cut := func() { _ = nc.Close() }
	c := &Client{nc, bufio.NewReaderSize(nc, 512), context.AfterFunc(ctx, cut)}
	if err = c.Say(nil, '2'); err == nil {
		err = c.Say([]byte("EHLO bench.test\r\n"), '2')
	}
	if err != nil {
		c.Close()
		return nil, errors.Join(ctx.Err(), err)
	}
	return c, nil
}

// Close closes the connection, if there is one.
func (c *Client) Close() {
	if c != nil {
		c.watch()
		_ = c.nc.Close()
	}
}

// Send carries out one transaction; text ends with a line of one dot.
func (c *Client) Send(text []byte) error {
	for _, step := range []struct {
		say  []byte
		want byte
	}{
		{[]byte("MAIL FROM:<" + From + ">\r\n"), '2'},
		{[]byte("RCPT TO:<" + To + ">\r\n"), '2'},
		{[]byte("DATA\r\n"), '3'},
		{text, '2'},
	} {
		if err := c.Say(step.say, step.want); err != nil {
			return err
		}
	}
	return nil
}

// Say writes b and reads one reply, whose code must begin with want.
func (c *Client) Say(b []byte, want byte) error {
	if len(b) > 0 {
		if _, err := c.nc.Write(b); err != nil {
			return err
		}
	}
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) < 4 || line[0] != want {
			return fmt.Errorf("server said %q", line)
		}
		if line[3] != '-' {
			return nil
		}
	}
}
