package smtpclient_test

import (
	"bufio"
	"bytes"
	"net"
	netsmtp "net/smtp"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// sink is a server that takes everything, as fast as it can.
func sink(conn net.Conn) {
	defer conn.Close()
	r, w := bufio.NewReaderSize(conn, 64<<10), bufio.NewWriter(conn)
	_, _ = w.WriteString("220 sink\r\n")
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		switch {
		case err != nil:
			return
		case bytes.HasPrefix(line, []byte("EHLO")):
			_, _ = w.WriteString("250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
		case bytes.HasPrefix(line, []byte("DATA")):
			_, _ = w.WriteString("354 go on\r\n")
			if w.Flush() != nil || !skipText(r) {
				return
			}
			_, _ = w.WriteString("250 2.0.0 ok\r\n")
		case bytes.HasPrefix(line, []byte("QUIT")):
			_, _ = w.WriteString("221 bye\r\n")
			_ = w.Flush()
			return
		default:
			_, _ = w.WriteString("250 2.1.0 ok\r\n")
		}
	}
}

// skipText reads to the final dot.
func skipText(r *bufio.Reader) bool {
	end := []byte("\r\n.\r\n")
	for {
		if _, err := r.Peek(len(end)); err != nil {
			return false
		}
		b, _ := r.Peek(r.Buffered())
		if i := bytes.Index(b, end); i >= 0 {
			_, err := r.Discard(i + len(end))
			return err == nil
		}
		_, _ = r.Discard(len(b) - len(end) + 1)
	}
}

func sinkAddr(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go sink(conn)
		}
	}()
	return l.Addr().String()
}

var sizes = []struct {
	name string
	text []byte
}{
	{"4K", []byte("Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 56))},
	{"10M", []byte("Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 145635))},
}

// BenchmarkSend sends over one connection.
func BenchmarkSend(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			d := smtpclient.Dialer{TLS: smtpclient.TLSNever}
			c, err := d.Dial(b.Context(), "tcp", sinkAddr(b))
			if err != nil {
				b.Fatal(err)
			}
			env := envelope(b, "r@b.test")
			b.SetBytes(int64(len(size.text)))
			b.ReportAllocs()
			for b.Loop() {
				res, err := c.Send(b.Context(), env, smtpclient.Bytes(size.text))
				if err != nil || !res.Accepted() {
					b.Fatal(err)
				}
			}
			_ = c.Quit(b.Context())
		})
	}
}

// BenchmarkNetSMTP does the same with net/smtp.
func BenchmarkNetSMTP(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			c, err := netsmtp.Dial(sinkAddr(b))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(size.text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := sendNetSMTP(c, size.text); err != nil {
					b.Fatal(err)
				}
			}
			_ = c.Quit()
		})
	}
}

func sendNetSMTP(c *netsmtp.Client, text []byte) error {
	if err := c.Mail("s@a.test"); err != nil {
		return err
	}
	if err := c.Rcpt("r@b.test"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Close()
}
