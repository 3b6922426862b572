package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	gosmtp "github.com/emersion/go-smtp"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// usage is what a process has used so far.
type usage struct {
	CPU    float64 // µs, user and system
	Allocs float64
	Bytes  float64
	RSS    float64 // octets
}

func used() usage {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	micros := func(t syscall.Timeval) float64 { return float64(t.Sec)*1e6 + float64(t.Usec) }
	return usage{micros(ru.Utime) + micros(ru.Stime), float64(m.Mallocs), float64(m.TotalAlloc), rss()}
}

func rss() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(text)); len(f) > 1 {
		pages, _ := strconv.ParseFloat(f[1], 64)
		return pages * float64(os.Getpagesize())
	}
	return 0
}

// serve is a server in a process of its own. It prints its address, then what
// it has used whenever a line comes in, and ends with its input.
func serve(name string) {
	lc := net.ListenConfig{KeepAlive: -1}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	switch name {
	case "posthouse":
		s := &smtpserver.Server{
			Hostname: "bench.test",
			Handler:  discard{},
			Limits:   smtpserver.Limits{PerAddress: -1, Connections: -1},
		}
		go func() { log.Fatal(s.Serve(l)) }()
	case "go-smtp":
		s := gosmtp.NewServer(backend{})
		s.Domain, s.MaxMessageBytes = "bench.test", 50<<20
		go func() { log.Fatal(s.Serve(l)) }()
	case "sink":
		go sink(l)
	default:
		log.Fatalf("no server %q", name)
	}
	fmt.Println(l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "free" {
			debug.FreeOSMemory()
		}
		line, _ := json.Marshal(used())
		fmt.Println(string(line))
	}
}

// discard is a Handler that reads each message and throws it away.
type discard struct{}

func (discard) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return discard{}, nil
}

func (discard) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	return toNowhere{}, nil
}
func (discard) Close() {}

type toNowhere struct{}

func (toNowhere) Rcpt(context.Context, smtp.Path, *smtp.RcptParams) (*smtp.Reply, error) {
	return nil, nil
}

func (toNowhere) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	_, err := io.Copy(io.Discard, body)
	return nil, err
}
func (toNowhere) Abort() {}

// backend is the same for go-smtp.
type backend struct{}

func (backend) NewSession(*gosmtp.Conn) (gosmtp.Session, error) { return session{}, nil }

type session struct{}

func (session) Reset()                                 {}
func (session) Logout() error                          { return nil }
func (session) Mail(string, *gosmtp.MailOptions) error { return nil }
func (session) Rcpt(string, *gosmtp.RcptOptions) error { return nil }
func (session) Data(r io.Reader) error                 { _, err := io.Copy(io.Discard, r); return err }

// sink is the least that answers a client: the other side of the measurements
// of clients, the same for all of them.
func sink(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go sinkSession(c)
	}
}

func sinkSession(c net.Conn) {
	defer c.Close()
	r, w := bufio.NewReaderSize(c, 64<<10), bufio.NewWriterSize(c, 2048)
	say := func(s string) {
		_, _ = w.WriteString(s)
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
			for string(line) != ".\r\n" {
				if line, err = r.ReadSlice('\n'); err != nil && err != bufio.ErrBufferFull {
					return
				}
			}
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
