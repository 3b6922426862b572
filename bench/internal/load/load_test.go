package load

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestOurOwn sends a load from our own source to our own sink, as is done where
// Postfix is not installed.
func TestOurOwn(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	addr := free(t)
	var none Tools
	sink, err := none.Take(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	if err := Answers(ctx, addr); err != nil {
		t.Fatal(err)
	}
	for _, l := range []Load{
		{Sessions: 3, Messages: 20, Size: 4096},
		{Sessions: 3, Messages: 7, Size: 4096, Fresh: true},
		{Sessions: 1, Messages: 1, Size: 200 << 10},
	} {
		before := sink.Taken()
		sent, err := none.Send(ctx, l, addr)
		if err != nil || sent.Took <= 0 {
			t.Errorf("%+v: %+v, %v", l, sent, err)
		}
		if err := sink.Wait(ctx, before+int64(l.Messages)); err != nil || sink.Taken() != before+int64(l.Messages) {
			t.Errorf("%+v: the sink has taken %d, %v", l, sink.Taken()-before, err)
		}
	}
}

func TestWaitEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	sink := Taker{Taken: func() int64 { return 3 }}
	if err := sink.Wait(ctx, 4); err == nil || !strings.Contains(err.Error(), "3 of 4 messages") {
		t.Errorf("got %v", err)
	}
}

// TestSendEnds: a server that never answers does not hold the load up.
func TestSendEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := (Load{Sessions: 2, Messages: 2}).Send(ctx, l.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestReadText: a dot ends a text only at the start of a line, also when the line
// before it does not fit into the buffer.
func TestReadText(t *testing.T) {
	long := strings.Repeat("x", 32) // two buffers of 16
	for text, rest := range map[string]string{
		"a\r\n.\r\nQUIT":             "QUIT",
		"a.\r\n..\r\n.\r\nQUIT":      "QUIT",
		long + ".\r\nb\r\n.\r\nQUIT": "QUIT",
	} {
		r := bufio.NewReaderSize(strings.NewReader(text), 16)
		err := readText(r)
		left, _ := io.ReadAll(r)
		if err != nil || string(left) != rest {
			t.Errorf("%q: %v, left is %q", text, err, left)
		}
	}
}

func TestText(t *testing.T) {
	for _, size := range []int{0, 4096, 40960} {
		text := string(Load{Size: size}.Text())
		if len(text) > max(size, 200) || len(text) < size-100 {
			t.Errorf("%d octets for %d", len(text), size)
		}
		if !strings.HasSuffix(text, "\r\n") || strings.Contains(text, "\n.") {
			t.Errorf("the text does not stand for itself: %q", text)
		}
	}
}

// TestCounter: the counters of smtp-sink come as they come.
func TestCounter(t *testing.T) {
	const said = "sess=1 quit=0 mesg=0\rsess=1 quit=0 mesg=9\rsess=2 quit=0 mesg=10\rsess=2 quit=1 mesg=12\r"
	for step := range len(said) {
		var c counter
		for rest := said; rest != ""; {
			n := min(step+1, len(rest))
			if _, err := c.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if c.taken() != 12 {
			t.Fatalf("in steps of %d it reads %d", step+1, c.taken())
		}
	}
	var c counter
	_, _ = c.Write([]byte(strings.Repeat("x", 1<<16)))
	if len(c.rest) > 1<<10 {
		t.Errorf("it keeps %d octets of a line that does not end", len(c.rest))
	}
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestShares: who shares a load sends all of it.
func TestShares(t *testing.T) {
	for _, whole := range []int{1, 20, 100, 101} {
		sum := 0
		for nth := range 3 {
			part := share(whole, nth, 3)
			if part < whole/3 || part > whole/3+1 {
				t.Errorf("of %d one gets %d", whole, part)
			}
			sum += part
		}
		if sum != whole {
			t.Errorf("of %d all get %d", whole, sum)
		}
	}
}
