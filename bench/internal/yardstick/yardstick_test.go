package yardstick

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// start runs a yardstick until the test program ends, as the warden does.
func start(t *testing.T, sink string) Options {
	t.Helper()
	o := Options{Addr: free(t), Log: filepath.Join(t.TempDir(), "log"), Sink: sink, Links: 2}
	go func() { _ = Serve(o) }() // it would be missed at once
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := load.Answers(ctx, o.Addr); err != nil {
		t.Fatal(err)
	}
	return o
}

func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestKeeps: after the 250 the text lies in the log, to the octet.
func TestKeeps(t *testing.T) {
	o := start(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	texts := []string{"", "\r\n", ".\r\n..\r\n", "one\r\ntwo\r\n", strings.Repeat("much\r\n", 40_000)}
	for _, text := range texts {
		c, err := load.Dial(ctx, o.Addr)
		if err != nil {
			t.Fatal(err)
		}
		stuffed := strings.ReplaceAll("\r\n"+text, "\r\n.", "\r\n..")[2:]
		if err := c.Send([]byte(stuffed + ".\r\n")); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	log, err := os.ReadFile(o.Log)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		n := binary.BigEndian.Uint32(log)
		record := string(log[lengthOctets : lengthOctets+n])
		log = log[lengthOctets+n:]
		want := "MAIL FROM:<" + load.From + ">\r\nRCPT TO:<" + load.To + ">\r\n" + strings.ReplaceAll("\r\n"+text, "\r\n.", "\r\n..")[2:] + ".\r\n"
		if record != want {
			t.Errorf("message %d: %d octets are kept, want %d", i, len(record), len(want))
		}
	}
	if len(log) > 0 {
		t.Errorf("%d octets more", len(log))
	}
}

// TestCarries: all that is accepted reaches the next host.
func TestCarries(t *testing.T) {
	var none load.Tools
	addr := free(t)
	sink, err := none.Take(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	o := start(t, addr)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, l := range []load.Load{{Sessions: 5, Messages: 40, Size: 4096}, {Sessions: 2, Messages: 4, Size: 50 << 10, Fresh: true}} {
		before := sink.Taken()
		if _, err := none.Send(ctx, l, o.Addr); err != nil {
			t.Fatal(err)
		}
		if err := sink.Wait(ctx, before+int64(l.Messages)); err != nil {
			t.Error(err)
		}
	}
}

// TestASinkThatRefuses: the yardstick ends, rather than lose mail in silence.
func TestASinkThatRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("554 no\r\n"))
		}
	}()
	err = Serve(Options{Addr: free(t), Log: filepath.Join(t.TempDir(), "log"), Sink: l.Addr().String(), Links: 1})
	if err == nil || !strings.Contains(err.Error(), `"554 no\r\n"`) {
		t.Errorf("got %v", err)
	}
}
