package talk

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// maxLine is the longest line of the other side that is shown in one piece.
const maxLine = 16 * 1024

// ahead is how many lines are read ahead of whoever looks at them, so that
// their times are those at which they came.
const ahead = 64

// peer is the other side. What it says comes on a channel as it comes in, so
// that a person sees it even while typing.
type peer struct {
	conn    net.Conn
	begun   time.Time
	timeout time.Duration
	lines   chan heard    // closed when the reader has ended
	stop    chan struct{} // tells the reader to end
}

// heard is a line of the other side, or the error that ended it.
type heard struct {
	at   time.Time
	text string // with whatever ended it
	err  error
}

func dial(ctx context.Context, addr string, timeout time.Duration) (*peer, error) {
	begun := time.Now()
	d := net.Dialer{Timeout: timeout}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &peer{conn: conn, begun: begun, timeout: timeout}
	p.listen()
	return p, nil
}

func (p *peer) listen() {
	p.lines, p.stop = make(chan heard, ahead), make(chan struct{})
	go read(p.conn, p.lines, p.stop)
}

func read(conn net.Conn, lines chan<- heard, stop <-chan struct{}) {
	defer close(lines)
	r := bufio.NewReaderSize(conn, maxLine)
	for {
		text, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			err = nil
		}
		for _, h := range parts(string(text), err) {
			select {
			case lines <- h:
			case <-stop:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// parts tells a last line without an end apart from the error behind it.
func parts(text string, err error) []heard {
	now := time.Now()
	var all []heard
	if text != "" {
		all = append(all, heard{at: now, text: text})
	}
	if err != nil {
		all = append(all, heard{at: now, err: err})
	}
	return all
}

// silence ends the reader and returns the lines that nobody had asked for yet.
func (p *peer) silence() []string {
	_ = p.conn.SetReadDeadline(time.Unix(1, 0))
	var left []string
	for h := range p.lines {
		if h.err == nil {
			left = append(left, h.text)
		}
	}
	_ = p.conn.SetReadDeadline(time.Time{})
	return left
}

// startTLS goes over to TLS. The lines that it returns came before TLS and
// behind what was read so far: they are not to be believed.
func (p *peer) startTLS(config *tls.Config) (tls.ConnectionState, []string, error) {
	left := p.silence()
	conn := tls.Client(p.conn, config)
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	err := conn.HandshakeContext(ctx)
	p.conn = conn
	p.listen()
	return conn.ConnectionState(), left, err
}

// write says something. The time for it is bounded, since a peer that talks
// and does not listen would hold us for ever.
func (p *peer) write(b []byte) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(p.timeout)); err != nil {
		return err
	}
	_, err := p.conn.Write(b)
	return err
}

// Write makes a peer an io.Writer for the text of a message.
func (p *peer) Write(b []byte) (int, error) {
	if err := p.write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *peer) close() {
	close(p.stop)
	_ = p.conn.Close()
	for range p.lines { // until the reader has ended
	}
}

// isClosed reports whether err means that the other side closed the
// connection, in whatever manner.
func isClosed(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) && !op.Timeout()
}
