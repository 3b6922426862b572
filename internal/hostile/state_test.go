package hostile

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// TestNoTransactionLeaksIntoTheNext: transactions of every kind follow each other on one
// connection, in an order by chance, and end in every way. What was accepted is exactly what a
// model of one line each says: its own sender, its own recipients, its own text.
func TestNoTransactionLeaksIntoTheNext(t *testing.T) {
	for seed := range uint64(20) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, dir)
			defer w.end()
			w.house("sina", "192.0.2.2", `hostname = "mx.sina.com"
data     = "DIR/sina"
listen "smtp" {
  address = "192.0.2.2:25"
  policy  = "off"
}
limits { errors = 10000 }
domain "sina.com" {
  mailboxes = ["ann", "bob", "carl"]
  deliver   = "none"
}
route "none" { discard = true }
`)
			c := &chancer{TB: t, conn: w.dial("", "192.0.2.2:25"), chance: rand.New(rand.NewPCG(seed, 1))}
			c.r = bufio.NewReader(c.conn)
			defer c.conn.Close()
			c.hear()
			c.ask("EHLO a.example")
			for n := range 60 {
				c.transaction(n)
			}
			synctest.Wait()
			if got := w.accepted(); !slices.Equal(got, c.want) {
				t.Errorf("seed %d: accepted\n%s\nand not\n%s\nin\n%s", seed, strings.Join(got, "\n"), strings.Join(c.want, "\n"), strings.Join(c.said, "\n"))
			}
		})
	}
}

// accepted are the senders, recipients and subjects that a house has told of.
func (w *world) accepted() (all []string) {
	for line := range strings.Lines(w.tell()) {
		_, line, is := strings.Cut(line, "accepted ")
		if !is {
			continue
		}
		var kept []string
		for _, word := range strings.Fields(line) {
			if key, _, _ := strings.Cut(word, "="); key == "from" || key == "to" || key == "subject" {
				kept = append(kept, word)
			}
		}
		all = append(all, strings.Join(kept, " "))
	}
	slices.Sort(all)
	return all
}

// chancer is a client that does what chance says.
type chancer struct {
	testing.TB
	conn   net.Conn
	r      *bufio.Reader
	chance *rand.Rand
	said   []string
	want   []string // that is accepted, sorted
}

// transaction is one of any kind, from MAIL to whatever ends it.
func (c *chancer) transaction(n int) {
	from := fmt.Sprintf("s%d@a.example", n)
	binary := c.chance.IntN(4) == 0
	params := c.pick("", " SIZE=100", " RET=HDRS ENVID=e", " SMTPUTF8")
	if binary {
		params += " BODY=BINARYMIME"
	}
	if c.chance.IntN(8) == 0 {
		c.ask("MAIL FROM:<leak@a.example> SIZE=99999999999999")
	}
	c.ask("MAIL FROM:<" + from + ">" + params)
	to := c.recipients()
	if subject := c.text(n, binary); subject != "" && len(to) > 0 {
		c.want = append(c.want, fmt.Sprintf("from=<%s>%s subject=%s", from, strings.Join(append([]string{""}, to...), " to="), subject))
		slices.Sort(c.want)
	}
}

// recipients says RCPT for some, of whom some are unknown.
func (c *chancer) recipients() (to []string) {
	for range c.chance.IntN(4) {
		name := c.pick("ann", "bob", "carl", "nobody")
		known := c.ask("RCPT TO:<"+name+"@sina.com>"+c.pick("", " NOTIFY=NEVER", " NOTIFY=SUCCESS ORCPT=rfc822;x@y")) == '2'
		if at := "<" + name + "@sina.com>"; known && !slices.Contains(to, at) {
			to = append(to, at)
		}
	}
	return to
}

// text ends the transaction in some way. It returns the subject of a text that is fit to be
// accepted, if there are recipients.
func (c *chancer) text(n int, binary bool) (subject string) {
	good, bare := fmt.Sprintf("n%d", n), fmt.Sprintf("bare%d", n)
	defer c.ask("RSET")
	switch c.chance.IntN(9) {
	case 0:
		c.ask("RSET")
	case 1:
		c.ask("EHLO b.example")
	case 2: // given up between chunks
		c.chunk("Subject: given up\r\n", "")
	case 3: // at fault in the middle, if it is no binary
		c.chunk("Subject: "+bare+"\r\n\r\nx\ny\r\n", "")
		c.chunk("RCPT TO:<leak@sina.com>\r\n", " LAST")
		if binary {
			return bare
		}
	case 4: // at fault
		if c.ask("DATA") == '3' {
			c.ask("Subject: " + bare + "\r\n\r\nx\ny\r\n.")
		}
	case 5, 6:
		c.chunk("Subject: "+good+"\r\n", "")
		c.chunk("\r\nx\r\n", " LAST")
		return good
	default:
		if c.ask("DATA") == '3' {
			c.ask("Subject: " + good + "\r\n\r\nx\r\n.")
		}
		if !binary { // it comes by BDAT (RFC 3030, 3)
			return good
		}
	}
	return ""
}

func (c *chancer) pick(words ...string) string { return words[c.chance.IntN(len(words))] }

// chunk says a chunk, whose text ends with CRLF.
func (c *chancer) chunk(text, last string) {
	c.ask(fmt.Sprintf("BDAT %d%s\r\n%s", len(text), last, text[:len(text)-2]))
}

// ask says something, and returns the first digit of the reply.
func (c *chancer) ask(text string) byte {
	c.Helper()
	c.said = append(c.said, fmt.Sprintf("%.60q", text))
	if _, err := io.WriteString(c.conn, text+"\r\n"); err != nil {
		c.Fatal(err)
	}
	return c.hear()
}

func (c *chancer) hear() byte {
	c.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil || len(line) < 4 {
			c.Fatalf("%q and then %v", line, err)
		}
		if line[3] == ' ' {
			c.said = append(c.said, "   "+line)
			return line[0]
		}
	}
}
