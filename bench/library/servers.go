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

	"github.com/posthouse/posthouse/bench/internal/load"
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
		go func() { log.Fatal(new(load.Sink).Serve(l)) }()
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
