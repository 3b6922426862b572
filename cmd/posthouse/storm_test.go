package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// TestStormAtTheEnd ends the program (SIGTERM) in a mail storm, with a client that never
// comes to the end of its message: it takes no longer than its last words may, status
// 0, and nothing is lost or comes twice.
func TestStormAtTheEnd(t *testing.T) {
	c := newCrash(t, 1, "go test -run TestStormAtTheEnd")
	c.sink.honest.Store(true) // a second copy would have no excuse
	c.born()
	c.house.ready(t)
	hung := os.Getenv("POSTHOUSE_TEST_ALL") != "" // it costs all of the patience
	if hung {
		defer c.hang()()
	}
	l := c.underLoad(10)
	l.until(t, 500)
	begin := time.Now()
	c.house.signal(t, terminate)
	c.endedWell()
	took := time.Since(begin)
	l.wait()
	const slack = 10 * time.Second // of a busy machine
	switch {
	case took > daemon.LastWords+slack:
		t.Errorf("the end took %v; it may take %v", took, daemon.LastWords)
	case hung && took < daemon.LastWords/2:
		t.Errorf("a client was in the middle of its message, and the house left after %v", took)
	}
	c.collect()
	c.lookIntoTheQueue()
	c.drain()
	c.account()
	if c.tally.second > 0 {
		t.Errorf("%d second copies, and nobody died", c.tally.second)
	}
	t.Logf("the end took %v: %s", took.Round(time.Millisecond), c.tally)
}

// hang has a client begin a message, and returns what ends the client.
func (c *crash) hang() func() {
	text, writer := io.Pipe()
	conn, err := doors[0].dial(c.t, c.house.at["smtp"])
	if err != nil {
		c.t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		env := smtpclient.Envelope{From: sender, To: []smtpclient.Recipient{{Path: addressees[0]}}}
		env.Mail.Body = smtp.Body8Bit // else it would be read through before it is sent
		r, _ := conn.Send(c.t.Context(), env, slowly{text, 1 << 20})
		if r.Accepted() {
			c.t.Error("a message without an end was answered 250")
		}
	}()
	if _, err := io.WriteString(writer, "Subject: endless\r\n\r\n"+strings.Repeat("and so on\r\n", 10_000)); err != nil {
		c.t.Error(err)
	}
	return func() {
		conn.Close()
		writer.CloseWithError(io.ErrUnexpectedEOF)
		<-over
	}
}

// slowly is a text that comes when it comes.
type slowly struct {
	io.Reader
	size int64
}

func (s slowly) Open() (io.ReadCloser, error) { return io.NopCloser(s.Reader), nil }
func (s slowly) Size() int64                  { return s.size }
