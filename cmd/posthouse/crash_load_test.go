package main

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// load is the clients of a house while it lives.
type load struct {
	t       *testing.T
	ledger  *ledger
	work    sync.WaitGroup
	told    chan struct{} // one for each message that was answered
	over    chan struct{} // closed when all clients have lost their connection
	enough  chan struct{} // closed when no more is wanted
	enoughs sync.Once
}

// door is a way in.
type door struct {
	how      string
	listener string
	dialer   smtpclient.Dialer
	binary   bool // large ones in chunks
	anew     bool // a connection for each message
}

var doors = []door{
	{how: "DATA", listener: "smtp", dialer: smtpclient.Dialer{TLS: smtpclient.TLSNever}},
	{how: "BDAT", listener: "smtp", dialer: smtpclient.Dialer{TLS: smtpclient.TLSNever, SingleFlight: true}, binary: true},
	{how: "LMTP", listener: "lmtp", dialer: smtpclient.Dialer{TLS: smtpclient.TLSNever, LMTP: true}},
	{how: "new", listener: "smtp", dialer: smtpclient.Dialer{TLS: smtpclient.TLSNever}, anew: true},
}

// underLoad has clients send, so many by each door, until the house is gone.
func (c *crash) underLoad(byEach int) *load {
	l := &load{t: c.t, ledger: c.ledger, told: make(chan struct{}), over: make(chan struct{}), enough: make(chan struct{})}
	for i := range byEach * len(doors) {
		d := &doors[i%len(doors)]
		chance := rand.New(rand.NewPCG(c.chance.Uint64(), 3))
		at := c.house.at[d.listener]
		l.work.Go(func() { l.client(d, at, chance) })
	}
	go func() {
		l.work.Wait()
		close(l.over)
	}()
	return l
}

// until waits until so many messages were answered.
func (l *load) until(t *testing.T, n int) {
	for range n {
		select {
		case <-l.told:
		case <-l.over:
			t.Error("no client can send any more, though nobody has killed the house")
			return
		}
	}
	l.stopCounting()
}

func (l *load) stopCounting() { l.enoughs.Do(func() { close(l.enough) }) }

func (l *load) wait() {
	l.stopCounting()
	<-l.over
}

// client sends message after message until the connection is lost.
func (l *load) client(d *door, at string, chance *rand.Rand) {
	var conn *smtpclient.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for {
		if conn == nil {
			var err error
			if conn, err = d.dial(l.t, at); err != nil {
				return // the house is gone
			}
		}
		if !l.send(conn, d, chance) {
			return
		}
		if d.anew {
			if conn.Quit(l.t.Context()) != nil {
				return
			}
			conn = nil
		}
	}
}

// dial knocks. A path is that of a socket.
func (d *door) dial(t *testing.T, at string) (*smtpclient.Conn, error) {
	if path, ok := strings.CutPrefix(at, "unix:"); ok || strings.HasPrefix(at, "/") {
		return d.dialer.Dial(t.Context(), "unix", path)
	}
	return d.dialer.Dial(t.Context(), "tcp", at)
}

// send sends one message, and reports whether the connection is good for more.
func (l *load) send(conn *smtpclient.Conn, d *door, chance *rand.Rand) bool {
	lt := l.ledger.write(d.how, chance)
	env := smtpclient.Envelope{From: sender, Mail: smtp.MailParams{EnvID: lt.name}}
	for _, to := range lt.to {
		env.To = append(env.To, smtpclient.Recipient{Path: to.path})
	}
	if d.binary && lt.size > 8<<10 {
		env.Mail.Body = smtp.BodyBinary
	}
	if chance.IntN(10) == 0 {
		env.Mail.HoldFor = time.Duration(1+chance.IntN(2)) * time.Second
	}
	r, err := conn.Send(l.t.Context(), env, smtpclient.Bytes(lt.text()))
	for i := range r.Recipients {
		o := &r.Recipients[i]
		switch {
		case o.Err == nil:
			l.ledger.promise(lt, i)
		case o.Reply != nil && o.Reply.Code != smtp.CodeUnavailable && !o.Local:
			l.t.Errorf("%s by %s was refused: %v", lt.name, d.how, o.Reply)
		}
	}
	if err == nil && r.Accepted() {
		select {
		case l.told <- struct{}{}:
		case <-l.enough:
		}
	}
	return err == nil && conn.Err() == nil && !closing(r)
}

func closing(r *smtpclient.Result) bool {
	for i := range r.Recipients {
		var reply *smtp.Reply
		if errors.As(r.Recipients[i].Err, &reply) && reply.Code == smtp.CodeUnavailable {
			return true
		}
	}
	return false
}
