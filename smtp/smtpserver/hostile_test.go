package smtpserver_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// TestCutAtEveryOctet: a connection that ends anywhere in a transaction
// delivers nothing, and the transaction has its one end.
func TestCutAtEveryOctet(t *testing.T) {
	const envelope = "EHLO sohu.com\r\nMAIL FROM:<bob@sohu.com>\r\nRCPT TO:<alice@sina.com>\r\n"
	for name, text := range map[string]string{
		"DATA":       "DATA\r\nSubject: x\r\n\r\n..\r\nbye\r\n.\r\n",
		"BDAT":       "BDAT 14\r\nSubject: x\r\n\r\nBDAT 5 LAST\r\nbye\r\n",
		"BDAT 0":     "BDAT 5\r\nbye\r\nBDAT 0 LAST\r\n",
		"BDAT, read": "RSET\r\nMAIL FROM:<byread@sohu.com>\r\nRCPT TO:<alice@sina.com>\r\nBDAT 7\r\nhello\r\nBDAT 5 LAST\r\nbye\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			said := envelope + text
			inWorld(t, &smtpserver.Server{}, func(w *world) {
				cut := func(n int) {
					conn := w.dial(stranger)
					_, _ = io.WriteString(conn, said[:n])
					synctest.Wait() // the server has done what it can, and waits for more
					_ = conn.Close()
					synctest.Wait()
				}
				for n := range len(said) {
					cut(n)
				}
				if got := w.house.taken(); len(got) != 0 {
					t.Errorf("%d messages were accepted that never came whole", len(got))
				}
				cut(len(said))
				if got := w.house.taken(); len(got) != 1 {
					t.Errorf("%d messages were accepted of the one that came whole", len(got))
				}
			})
		})
	}
}

// TestEndlessThings: what has no end is answered, cut off, and costs no memory.
func TestEndlessThings(t *testing.T) {
	const envelope = "EHLO sohu.com\r\nMAIL FROM:<bob@sohu.com>\r\nRCPT TO:<alice@sina.com>\r\n"
	for _, c := range []struct {
		name   string
		before string
		again  string // said until nobody listens
		last   string // the last reply
	}{
		{"a line", "", "aaaaaaaaaaaaaaaa", "421 sina.com Too much nonsense"},
		{"a line of spaces", "NOOP ", "                ", "421 sina.com Too much nonsense"},
		{"a line with bare LF", "", "\n", "421 sina.com Too much nonsense"},
		{"lines of nonsense", "", "aaaa\r\n", "421 sina.com Too many errors"},
		{"a header", envelope + "DATA\r\n", "X: aaaaaaaaaa", "552 5.3.4 Message is larger than 1048576 octets"},
		{"dots", envelope + "DATA\r\n", "..\r\n", "552 5.3.4 Message is larger than 1048576 octets"},
		{"text at fault", envelope + "DATA\r\n", "\n.\n", "554 5.6.0 LF without CR: lines of a message end with CRLF, and have neither inside"},
		{"a chunk", envelope + "BDAT 9223372036854775807\r\n", "aaaaaaaa", "552 5.3.4 Message is larger than 1048576 octets"},
		{"a chunk of nothing begun", "BDAT 9223372036854775807 LAST\r\n", "aaaaaaaa", "503 Say HELO or EHLO first"},
		{"refused chunks", "", "BDAT 100000\r\n" + strings.Repeat("a", 100000), "503 Say HELO or EHLO first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &smtpserver.Server{}
			s.Limits = smtpserver.Limits{MessageSize: 1 << 20, Discard: 1 << 20}
			inWorld(t, s, func(w *world) {
				conn := w.dial(stranger)
				go func() {
					_, _ = io.WriteString(conn, c.before)
					for block := strings.Repeat(c.again, 64<<10/len(c.again)+1); ; {
						if _, err := io.WriteString(conn, block); err != nil {
							return
						}
					}
				}()
				all, err := io.ReadAll(conn)
				lines := strings.Split(strings.TrimSuffix(string(all), "\r\n"), "\r\n")
				if got := lines[len(lines)-1]; got != c.last || err != nil {
					t.Errorf("the last reply was %q %v, want %q", got, err, c.last)
				}
				_ = conn.Close()
				synctest.Wait()
				if n := len(w.house.taken()); n > 0 {
					t.Errorf("%d messages were accepted", n)
				}
			})
		})
	}
}

// TestMillionChunks: a message may come an octet at a time.
func TestMillionChunks(t *testing.T) {
	if testing.Short() {
		t.Skip("a million commands")
	}
	const chunks = 1_000_000
	h := &counter{}
	s := &smtpserver.Server{Handler: h}
	w := open(t, s)
	defer w.close()
	s.Trace = nil
	conn := w.dial(stranger)
	go func() {
		_, _ = io.WriteString(conn, "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
		block := strings.Repeat("BDAT 1\r\nx", 1000)
		for range chunks / 1000 {
			_, _ = io.WriteString(conn, block)
		}
		_, _ = io.WriteString(conn, "BDAT 0 LAST\r\nQUIT\r\n")
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, _ := io.Copy(io.Discard, conn)
	runtime.ReadMemStats(&after)
	if h.octets != chunks || n < chunks*20 {
		t.Errorf("%d octets arrived, %d octets of replies", h.octets, n)
	}
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 16<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// counter is a Handler that counts octets and keeps none.
type counter struct{ octets int64 }

func (c *counter) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return c, nil
}

func (c *counter) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	return c, nil
}

func (c *counter) Rcpt(context.Context, smtp.Path, *smtp.RcptParams) (*smtp.Reply, error) {
	return nil, nil
}

func (c *counter) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	n, err := io.Copy(io.Discard, body)
	c.octets += n
	return nil, err
}

func (c *counter) Abort() {}
func (c *counter) Close() {}

// TestLongLine: a line of 10 MB is refused, whatever it says.
func TestLongLine(t *testing.T) {
	inWorld(t, &smtpserver.Server{}, func(w *world) {
		c := w.call()
		go c.send(strings.Repeat("a", 900_000) + "\r\nNOOP\r\n")
		c.hear(500, 250)
		go func() { _, _ = io.WriteString(c.conn, strings.Repeat("a", 10_000_000)+"\r\n") }()
		c.hear(500, 421)
		c.ended()
	})
}

// TestLineLimits: each verb has its longest line (RFC 5321, 4.5.3.1.4, with
// what the extensions add), to the octet.
func TestLineLimits(t *testing.T) {
	inWorld(t, &smtpserver.Server{PlaintextAuth: true}, func(w *world) {
		c := w.call()
		for _, line := range []struct{ start, end string }{
			{"NOOP ", ""}, {"HELP ", ""}, {"AUTH PLAIN ", ""},
		} {
			verb := smtp.ParseVerb(strings.Fields(line.start)[0], false)
			most := smtp.LineLimit(verb) - len("\r\n") - len(line.start) - len(line.end)
			c.say(line.start + strings.Repeat("a", most) + line.end)
			if code, text, err := c.reply(); err != nil || code == 500 {
				t.Errorf("%s with the longest line: %d %q %v", verb, code, text, err)
			}
			c.ask(line.start+strings.Repeat("a", most+1)+line.end, 500)
		}
	})
}

// TestManyRecipients: beyond the limit it is 452, and those before are kept;
// the limit is never below 100 (RFC 5321, 4.5.3.1.8).
func TestManyRecipients(t *testing.T) {
	s := &smtpserver.Server{}
	s.Limits = smtpserver.Limits{Recipients: 5, Errors: 3}
	inWorld(t, s, func(w *world) {
		c := w.call()
		c.say("EHLO sohu.com", "MAIL FROM:<bob@sohu.com>")
		c.hear(250, 250)
		for i := range 110 {
			code := 250
			if i >= 100 {
				code = 452
			}
			c.ask(fmt.Sprintf("RCPT TO:<r%d@sina.com>", i), code)
		}
		c.ask("DATA", 354)
		c.ask(".", 250)
		c.ask("QUIT", 221)
		c.ended()
		synctest.Wait()
		if got := w.house.taken(); len(got) != 1 || len(got[0].to) != 100 {
			t.Errorf("accepted %v", got)
		}
	})
}

// TestTransparency: every text arrives as it was sent, by DATA and by BDAT, by
// Read and by WriteTo.
func TestTransparency(t *testing.T) {
	texts := []string{
		"", "\r\n", ".\r\n", "..\r\n", "\r\n.\r\n..\r\n...\r\n", "a\r\n.b\r\n\r\n", "\x00\r\n\xff\xfe\r\n",
		strings.Repeat("0123456789", 20000) + "\r\n" + strings.Repeat(".\r\n", 3000), strings.Repeat(strings.Repeat("x", 76)+"\r\n", 5000),
	}
	inWorld(t, &smtpserver.Server{}, func(w *world) {
		c := w.call()
		c.ask("EHLO sohu.com", 250)
		var want []string
		for _, text := range texts {
			for _, from := range []string{"bob", "byread"} {
				c.say("MAIL FROM:<"+from+"@sohu.com>", "RCPT TO:<alice@sina.com>", "DATA")
				c.hear(250, 250, 354)
				go c.send(strings.ReplaceAll("\r\n"+text, "\r\n.", "\r\n..")[2:] + ".\r\n")
				c.hear(250)
				c.say("MAIL FROM:<"+from+"@sohu.com>", "RCPT TO:<alice@sina.com>")
				c.hear(250, 250)
				half := len(text) / 3
				go c.send(fmt.Sprintf("BDAT %d\r\n%sBDAT %d LAST\r\n%s", half, text[:half], len(text)-half, text[half:]))
				c.hear(250, 250)
				want = append(want, text, text)
			}
		}
		c.ask("QUIT", 221)
		for i, l := range w.house.taken() {
			if string(l.text) != want[i] {
				t.Errorf("text %d: got %.60q, want %.60q", i, l.text, want[i])
			}
		}
		if n := len(w.house.taken()); n != len(want) {
			t.Errorf("%d of %d texts were accepted", n, len(want))
		}
	})
}

// TestSmuggling: every text up to six symbols over the ones that matter ends
// where CRLF.CRLF does, and nothing behind it is hidden from the dialogue. The
// server answers exactly the commands that a strict reader sees.
func TestSmuggling(t *testing.T) {
	inWorld(t, &smtpserver.Server{Limits: smtpserver.Limits{Errors: -1}}, func(w *world) {
		c := w.call()
		c.ask("EHLO sohu.com", 250)
		for text := range wordsOver([]string{"\r\n", "\r", "\n", ".", "a"}, 5) {
			if strings.Contains("\r\n"+text+"\r\n", "\r\n.\r\n") {
				continue // it ends before
			}
			c.send("MAIL FROM:<bob@sohu.com>\r\nRCPT TO:<alice@sina.com>\r\nDATA\r\n" + text + "\r\n.\r\nNOOP\r\n")
			code := 250
			if strings.ContainsAny(strings.ReplaceAll(text+"\r\n", "\r\n", ""), "\r\n") {
				code = 554
			}
			c.hear(250, 250, 354, code, 250)
		}
		c.ask("QUIT", 221)
	})
}

// wordsOver yields every word of up to n symbols.
func wordsOver(symbols []string, n int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var grow func(string, int) bool
		grow = func(word string, left int) bool {
			if !yield(word) {
				return false
			}
			for _, s := range symbols {
				if left > 0 && !grow(word+s, left-1) {
					return false
				}
			}
			return true
		}
		grow("", n)
	}
}

// TestRepliesCarryNoInjection: what a client says comes back, if at all, with
// nothing in it that ends a line or moves a terminal.
func TestRepliesCarryNoInjection(t *testing.T) {
	inWorld(t, &smtpserver.Server{Limits: smtpserver.Limits{Errors: -1}}, func(w *world) {
		c := w.call()
		c.ask("EHLO sohu.com", 250)
		for _, bad := range []string{"\x00", "\x1b[2J", "\x7f", "\xc2\x85", "\u2028", "\xff", "\t", "%s%n", "\x08"} {
			for _, line := range []string{"MAIL FROM:<a" + bad + "@b>", "MAIL FROM:<a@b> X" + bad + "=1", "RCPT TO:<" + bad + ">", "VRFY " + bad, "VRFY echo " + bad, "X" + bad, "HELP " + bad, "EHLO " + bad, "ETRN " + bad, "AUTH " + bad} {
				c.say(line)
				if _, text, err := c.reply(); err != nil || strings.Contains(text, "%!") || bad != "\t" && bad != "%s%n" && strings.Contains(text, bad) {
					t.Errorf("%q: reply %q %v", line, text, err)
				}
			}
		}
	})
}
