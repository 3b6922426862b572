package load

import (
	"bufio"
	"net"
	"strings"
	"sync/atomic"
)

// Sink is the least that answers a client. The zero value is ready.
type Sink struct {
	taken atomic.Int64
}

// Taken is how many messages it has accepted.
func (s *Sink) Taken() int64 { return s.taken.Load() }

// Serve answers those who connect until the listener is closed.
func (s *Sink) Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go s.session(c)
	}
}

func (s *Sink) session(c net.Conn) {
	defer c.Close()
	r, w := bufio.NewReaderSize(c, 64<<10), bufio.NewWriterSize(c, 2048)
	say := func(text string) {
		_, _ = w.WriteString(text)
		if r.Buffered() == 0 {
			_ = w.Flush()
		}
	}
	say("220 bench.test ESMTP\r\n")
	for {
		line, err := r.ReadSlice('\n')
		if err != nil || len(line) < 4 {
			return
		}
		switch strings.ToUpper(string(line[:4])) {
		case "EHLO":
			say("250-bench.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 8BITMIME\r\n")
		case "DATA":
			say("354 go\r\n")
			if err := readText(r); err != nil {
				return
			}
			s.taken.Add(1)
			say("250 ok\r\n")
		case "QUIT":
			say("221 bye\r\n")
			_ = w.Flush()
			return
		default:
			say("250 ok\r\n")
		}
	}
}

// readText reads up to a line of one dot.
func readText(r *bufio.Reader) error {
	for whole := true; ; {
		line, err := r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
		if whole && string(line) == ".\r\n" {
			return nil
		}
		whole = err == nil
	}
}
