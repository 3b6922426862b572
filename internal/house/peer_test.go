package house_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/house"
	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// client sends letters to a peer from a host.
type client struct {
	*testing.T
	host   *simnet.Host
	ledger *house.Ledger
}

func path(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

// send sends one letter on a connection of its own, and returns what it was told of
// each recipient: a code, or what went wrong.
func (c *client) send(key string, to ...string) string {
	text := house.Letter(key, 500)
	c.ledger.Send(text, to...)
	d := smtpclient.Dialer{LocalName: "client.test", TLS: smtpclient.TLSNever, NetDial: func(ctx context.Context, network, address string) (net.Conn, error) {
		return c.host.Dial(ctx, netip.Addr{}, network, address)
	}}
	conn, err := d.Dial(c.Context(), "tcp", "192.0.2.2:25")
	if err != nil {
		return "no connection"
	}
	defer conn.Close()
	env := smtpclient.Envelope{From: path("ann@sohu.test")}
	for _, t := range to {
		env.To = append(env.To, smtpclient.Recipient{Path: path(t)})
	}
	result, _ := conn.Send(c.Context(), env, smtpclient.Bytes([]byte(text))) // the outcomes tell it
	var told []string
	for i, o := range result.Recipients {
		told = append(told, tell(&o))
		if o.Fate() == smtpclient.Accepted {
			c.ledger.Promise(key, to[i])
		}
	}
	return strings.Join(told, " ")
}

func tell(o *smtpclient.Outcome) string {
	if o.Reply == nil {
		return "silence"
	}
	return fmt.Sprint(int(o.Reply.Code))
}

// TestManners: each peer behaves as it was told to, minute by minute.
func TestManners(t *testing.T) {
	for _, c := range []struct {
		name    string
		manners house.Manners
		story   string // minutes after the start, recipients, what they are told
		copies  string // recipients, copies
		most    time.Duration
	}{
		{"Postfix", house.Manners{}, "0 bob nobody carl: 250 550 250; 1 bob: 250", "bob 2 carl 1 nobody 0", time.Second},
		{"greylisting", house.Manners{Greylist: 5 * time.Minute}, "0 bob: 451; 1 bob: 451; 4 carl: 451; 6 bob: 250; 7 bob carl: 250 451", "bob 2 carl 0", time.Second},
		{"limits rates", house.Manners{PerMinute: 2}, "0 bob: 250; 0 bob: 250; 0 bob: 421; 1 bob: 250", "bob 3", time.Second},
		{"slow", house.Manners{Slow: 10 * time.Second}, "0 bob carl: 250 250", "bob 1 carl 1", time.Minute},
		{"full mailboxes", house.Manners{Quota: 1, Every: 10 * time.Minute}, "0 bob: 250; 1 bob carl: 452 250; 11 bob: 250", "bob 2 carl 1", time.Second},
		{"keeps and defers", house.Manners{Lie: house.KeepsAndDefers}, "0 bob: 451", "bob 0", time.Second},
		{"refuses late", house.Manners{Lie: house.RefusesLate}, "0 bob carl: 554 554", "bob 0 carl 0", time.Second},
		{"never answers", house.Manners{Lie: house.NeverAnswers}, "0 bob: silence", "bob 0", 15 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(simnet.Options{})
				us := &client{T: t, host: n.Host("client", "192.0.2.1"), ledger: house.NewLedger()}
				p := &house.Peer{Name: "mx.sina.test", Manners: c.manners, Ledger: us.ledger}
				stop, err := p.Serve(t.Context(), n.Host("mx", "192.0.2.2"), ":25")
				if err != nil {
					t.Fatal(err)
				}
				defer stop()
				us.play(c.story, c.most)
				us.count(c.copies)
			})
		})
	}
}

func (c *client) play(story string, most time.Duration) {
	start := time.Now()
	for n, part := range strings.Split(story, "; ") {
		when, want, _ := strings.Cut(part, ": ")
		minute, to, _ := strings.Cut(when, " ")
		at, err := time.ParseDuration(minute + "m")
		if err != nil {
			c.Fatal(err)
		}
		time.Sleep(time.Until(start.Add(at)))
		began := time.Now()
		var addresses []string
		for _, local := range strings.Fields(to) {
			addresses = append(addresses, local+"@sina.test")
		}
		if got := c.send(fmt.Sprint(n), addresses...); got != want {
			c.Errorf("after %s minutes %s are told %s, want %s", minute, to, got, want)
		}
		if took := time.Since(began); took > most || most > time.Second && took < most/2 {
			c.Errorf("after %s minutes: it took %v", minute, took)
		}
	}
}

// count holds copies against the ledger, which must not complain.
func (c *client) count(copies string) {
	for words := strings.Fields(copies); len(words) > 0; words = words[2:] {
		sum := 0
		for n := range 9 {
			sum += c.ledger.Copies(fmt.Sprint(n), words[0]+"@sina.test")
		}
		if fmt.Sprint(sum) != words[1] {
			c.Errorf("%s has %d copies, want %s", words[0], sum, words[1])
		}
	}
	for _, complaint := range c.ledger.Complaints(func(_, _ string, promised bool) (int, int) {
		if promised {
			return 1, 1
		}
		return 0, 0
	}) {
		c.Error(complaint)
	}
}

// TestTheLedgerComplains: what should not be is told.
func TestTheLedgerComplains(t *testing.T) {
	once := func(_, _ string, promised bool) (int, int) {
		if promised {
			return 1, 1
		}
		return 0, 1
	}
	for _, c := range []struct {
		name string
		do   func(l *house.Ledger, text string)
		want string
	}{
		{"all is well", func(l *house.Ledger, text string) {
			l.Promise("7", "a@x.test")
			l.Take(house.Taken{To: "a@x.test", Text: "Received: by y\r\n" + text})
		}, ""},
		{"it was not promised and did not come", func(*house.Ledger, string) {}, ""},
		{"lost", func(l *house.Ledger, _ string) { l.Promise("7", "a@x.test") }, "letter 7 to a@x.test: 0 copies"},
		{"twice", func(l *house.Ledger, text string) {
			l.Take(house.Taken{To: "a@x.test", Text: text})
			l.Take(house.Taken{To: "a@x.test", Text: text})
		}, "letter 7 to a@x.test: 2 copies"},
		{"changed", func(l *house.Ledger, text string) {
			l.Take(house.Taken{To: "a@x.test", Text: text + "more"})
		}, "other octets"},
		{"a report is no letter", func(l *house.Ledger, text string) {
			l.Take(house.Taken{To: "ann@x.test", Text: "Subject: Not delivered\r\n\r\n" + text})
			if n := len(l.Strays()); n != 1 {
				t.Errorf("%d strays", n)
			}
		}, ""},
		{"to somebody else", func(l *house.Ledger, text string) {
			l.Take(house.Taken{By: "mx", To: "eve@x.test", Text: text})
		}, "letter 7 was not for eve@x.test, who got it at mx"},
	} {
		l := house.NewLedger()
		text := house.Letter("7", 100)
		l.Send(text, "a@x.test")
		c.do(l, text)
		got := strings.Join(l.Complaints(once), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
