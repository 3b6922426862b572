package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	netsmtp "net/smtp"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// sent is what a client tells when it is done.
type sent struct {
	Took   time.Duration
	Before usage
	After  usage
}

// runClient measures a client in a process of its own against the same sink.
func runClient(name string, l load.Load) (map[string]float64, error) {
	c, err := start("sink")
	if err != nil {
		return nil, err
	}
	defer c.stop()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "send", name, c.addr,
		strconv.Itoa(l.Sessions), strconv.Itoa(l.Messages), strconv.Itoa(l.Size), strconv.FormatBool(l.Fresh))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var s sent
	err = json.Unmarshal(out, &s)
	return figures(l, s.Took, s.Before, s.After), err
}

// send is a client in a process of its own.
func send(name string, args []string) {
	var l load.Load
	addr := args[0]
	l.Sessions, _ = strconv.Atoi(args[1])
	l.Messages, _ = strconv.Atoi(args[2])
	l.Size, _ = strconv.Atoi(args[3])
	l.Fresh, _ = strconv.ParseBool(args[4])
	session := map[string]func(string, []byte, bool, func() bool) error{"posthouse": sendOurs, "net/smtp": sendNet}[name]
	if session == nil {
		log.Fatalf("no client %q", name)
	}
	text := l.Text()
	before := used()
	took, err := l.Share(func(take func() bool) error { return session(addr, text, l.Fresh, take) })
	if err != nil {
		log.Fatal(err)
	}
	line, _ := json.Marshal(sent{took, before, used()})
	fmt.Println(string(line))
}

func sendOurs(addr string, text []byte, fresh bool, take func() bool) (err error) {
	ctx := context.Background()
	from, _ := smtp.ParseMailbox("a@example.com")
	to, _ := smtp.ParseMailbox("b@example.com")
	env := smtpclient.Envelope{From: from, To: []smtpclient.Recipient{{Path: to}}}
	d := &smtpclient.Dialer{LocalName: "bench.test", TLS: smtpclient.TLSNever}
	var c *smtpclient.Conn
	for take() {
		if c == nil {
			if c, err = d.Dial(ctx, "tcp", addr); err != nil {
				return err
			}
		}
		r, err := c.Send(ctx, env, smtpclient.Bytes(text))
		if err != nil {
			return err
		}
		if !r.Accepted() {
			return errors.New("not accepted")
		}
		if fresh {
			if err := c.Quit(ctx); err != nil {
				return err
			}
			c = nil
		}
	}
	if c != nil {
		return c.Quit(ctx)
	}
	return nil
}

func sendNet(addr string, text []byte, fresh bool, take func() bool) (err error) {
	var c *netsmtp.Client
	for take() {
		if c == nil {
			if c, err = netsmtp.Dial(addr); err != nil {
				return err
			}
			if err := c.Hello("bench.test"); err != nil {
				return err
			}
		}
		if err := errors.Join(c.Mail("a@example.com"), c.Rcpt("b@example.com")); err != nil {
			return err
		}
		w, err := c.Data()
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if fresh {
			if err := c.Quit(); err != nil {
				return err
			}
			c = nil
		}
	}
	if c != nil {
		return c.Quit()
	}
	return nil
}
