//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/posthouse/posthouse/bench/internal/warden"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// baseline is the least that a durable server on package smtpserver must do: it
// appends every message to one file and answers after an fdatasync, one for all
// that wait. What posthouse costs more is its queue, its checks and its journal.
type baseline struct{}

// baselineWord on the command line makes this program that server.
const baselineWord = "baseline-server"

func (baseline) name() string      { return "baseline" }
func (baseline) knows(m mode) bool { return m == hold || m == secure }
func (baseline) crowd() int        { return 2000 }

func (baseline) version(context.Context) (string, error) {
	return "smtpserver, one file, one fdatasync for all that wait", nil
}

func (baseline) order(at place) (warden.Order, error) {
	self, err := os.Executable()
	command := []string{self, baselineWord, at.addr(), filepath.Join(at.dir, "log")}
	if at.mode == secure {
		command = append(command, at.chain(), at.key())
	}
	return warden.Order{Command: command}, err
}

// serveBaseline serves until SIGTERM; with the files of a certificate and its key also under TLS.
func serveBaseline(addr, path string, certificate ...string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	lc := net.ListenConfig{KeepAlive: -1}
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	b := &book{file: file, entries: make(chan entry, 1024)}
	go func() { log.Fatal(b.keep()) }()
	s := &smtpserver.Server{
		Hostname: "bench.test",
		Handler:  b,
		Limits:   smtpserver.Limits{PerAddress: -1, Connections: -1},
	}
	if len(certificate) == 2 {
		pair, err := tls.LoadX509KeyPair(certificate[0], certificate[1])
		if err != nil {
			return err
		}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	return s.Serve(l)
}

// book is the file in which every message is written.
type book struct {
	file    *os.File
	entries chan entry
	pool    sync.Pool
}

type entry struct {
	text []byte
	done chan struct{} // closed when it is on the disk
}

// keep writes what waits, syncs once, and tells all of them. It returns the
// first error; nothing is promised after it.
func (b *book) keep() error {
	w := bufio.NewWriterSize(b.file, 1<<20)
	for first := range b.entries {
		batch := []entry{first}
		for waiting := len(b.entries); waiting > 0; waiting-- {
			batch = append(batch, <-b.entries)
		}
		var length [4]byte
		for _, e := range batch {
			binary.BigEndian.PutUint32(length[:], uint32(len(e.text)))
			_, err1 := w.Write(length[:])
			_, err2 := w.Write(e.text)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if err := syscall.Fdatasync(int(b.file.Fd())); err != nil {
			return err
		}
		for _, e := range batch {
			close(e.done)
		}
	}
	return nil
}

func (b *book) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return b, nil
}

func (b *book) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	return page{b}, nil
}
func (b *book) Close() {}

type page struct{ book *book }

func (page) Rcpt(context.Context, smtp.Path, *smtp.RcptParams) (*smtp.Reply, error) { return nil, nil }
func (page) Abort()                                                                 {}

func (p page) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	text, _ := p.book.pool.Get().(*sheet)
	if text == nil {
		text = new(sheet)
	}
	defer p.book.pool.Put(text)
	text.octets = text.octets[:0]
	if _, err := io.Copy(text, body); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	p.book.entries <- entry{text.octets, done}
	<-done
	return nil, nil
}

// sheet is a buffer that is used again.
type sheet struct{ octets []byte }

func (s *sheet) Write(b []byte) (int, error) {
	s.octets = append(s.octets, b...)
	return len(b), nil
}
