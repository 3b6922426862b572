package house

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Mail is a letter that a client is to send.
type Mail struct {
	Key  string
	From smtp.Path
	To   []smtpclient.Recipient
	Size int
}

// client is a mail program: it sends each letter again and again until that was
// accepted for all, or refused. When it did not hear the answer it comes again,
// and makes a second copy, which is its own fault.
type client struct {
	w      *World
	name   string
	host   *simnet.Host
	server string   // its address
	doors  []string // more than one server, of which any will do
	house  string   // its name
	chance *rand.Rand
	conn   *smtpclient.Conn
}

func (w *World) client(name, address, house, server string) *client {
	return &client{w: w, name: name, host: w.Net.Host(name, address), server: server, house: house, chance: w.chance(name)}
}

// pause waits for a time that is like no other's.
func (c *client) pause(about time.Duration) {
	time.Sleep(about/2 + time.Duration(c.chance.Int64N(int64(about))))
}

// send sends a letter.
func (c *client) send(m *Mail) {
	text := Letter(m.Key, m.Size)
	c.w.Ledger.Send(text)
	for _, r := range m.To {
		c.w.Ledger.Wish(m.Key, r.Path.String(), r.Params.Notify)
		if final := c.w.forwards[r.Path.String()]; final != "" {
			c.w.Ledger.Wish(m.Key, final, r.Params.Notify)
		}
	}
	for left := m.To; len(left) > 0; {
		if left = c.try(m, text, left); len(left) > 0 {
			c.hangUp()
			c.pause(30 * time.Second)
		}
	}
}

// try returns who must be tried again.
func (c *client) try(m *Mail, text string, to []smtpclient.Recipient) (left []smtpclient.Recipient) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	if err := c.connect(ctx); err != nil {
		return to
	}
	res, err := c.conn.Send(ctx, smtpclient.Envelope{From: m.From, To: to}, smtpclient.Bytes([]byte(text)))
	if err != nil {
		c.hangUp()
	}
	var told []string
	for i := range res.Recipients {
		switch o := &res.Recipients[i]; o.Fate() {
		case smtpclient.Accepted:
			told = append(told, to[i].Path.String())
		case smtpclient.Permanent:
		default:
			left = append(left, to[i])
		}
	}
	if len(told) > 0 {
		_, id, _ := strings.Cut(res.Final.Text, "queued as ")
		c.w.Ledger.Promise(m.Key, told...)
		c.w.Account.promised(c.house, id, m.Key, told)
	}
	return left
}

func (c *client) connect(ctx context.Context) (err error) {
	if c.conn != nil && c.conn.Err() == nil && c.chance.IntN(20) > 0 {
		return nil
	}
	c.hangUp()
	if len(c.doors) > 0 {
		c.server = c.doors[c.chance.IntN(len(c.doors))]
	}
	d := smtpclient.Dialer{LocalName: c.name, TLS: smtpclient.TLSNever, NetDial: func(ctx context.Context, network, address string) (net.Conn, error) {
		return c.host.Dial(ctx, netip.Addr{}, network, address)
	}}
	c.conn, err = d.Dial(ctx, "tcp", c.server)
	return err
}

func (c *client) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close() // whatever it was good for
		c.conn = nil
	}
}
