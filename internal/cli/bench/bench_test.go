package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

func TestPercentiles(t *testing.T) {
	var l latencies
	for i := 1; i <= 1000; i++ {
		l.add(time.Duration(i) * time.Millisecond)
	}
	for part, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.9: 900 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		got := l.percentile(part)
		if got < want || got > want+want*4/100 {
			t.Errorf("percentile %v is %v, want %v to 4 %% more", part, got, want)
		}
	}
	if l.most != time.Second {
		t.Errorf("the longest is %v", l.most)
	}
	if got := new(latencies).percentile(0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestMerge(t *testing.T) {
	var a, b, both latencies
	for i := range 100 {
		d := time.Duration(i*i) * time.Microsecond
		[]*latencies{&a, &b}[i%2].add(d)
		both.add(d)
	}
	a.merge(&b)
	if a != both {
		t.Error("two halves merged are not the whole")
	}
}

// Every time is in a bucket whose upper end is at most 1/32 above it.
func TestBuckets(t *testing.T) {
	for us := int64(0); us < 1<<40; us += 1 + us/50 {
		d := time.Duration(us) * time.Microsecond
		i := bucket(d)
		if up := upper(i); up < d || up > d+d/finest || bucket(up) != i {
			t.Fatalf("%v is in bucket %d, which ends at %v", d, i, up)
		}
	}
	for _, d := range []time.Duration{-1, 1<<63 - 1} {
		if i := bucket(d); i < 0 || i >= len(latencies{}.buckets) {
			t.Errorf("%v is in bucket %d", d, i)
		}
	}
}

func TestText(t *testing.T) {
	for _, size := range []int{minSize, minSize + 1, 4096, 100_000} {
		got := text(size)
		if len(got) != size || !bytes.HasSuffix(got, []byte("\r\n")) {
			t.Errorf("a message of %d octets ends with %q", len(got), got[len(got)-4:])
		}
		if n := bytes.Count(got, []byte("\r")); n != bytes.Count(got, []byte("\r\n")) || n != bytes.Count(got, []byte("\n")) {
			t.Errorf("a message of %d octets has a bare CR or LF", size)
		}
	}
}

// Without --pipeline each command waits for the reply to the one before it.
func TestPipeline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &smtpserver.Server{Handler: &sink{}}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	for _, pipeline := range []bool{true, false} {
		s := source{
			server: l.Addr().String(), sessions: 1, messages: 1, size: minSize, pipeline: pipeline,
			tls: "never", from: "a@b.example", to: []string{"c@d.example"},
		}
		if err := s.prepare(); err != nil {
			t.Fatal(err)
		}
		var talk strings.Builder
		s.dialer.Trace = func(string, net.Conn) *smtpclient.Trace {
			return &smtpclient.Trace{
				Sent:     func(_ time.Time, line []byte) { fmt.Fprintf(&talk, "> %s\n", line[:4]) },
				Received: func(_ time.Time, line []byte) { fmt.Fprintf(&talk, "< %s\n", line[:3]) },
			}
		}
		if all := s.load(context.Background()); all.Messages != 1 {
			t.Fatalf("the message was not accepted: %v", all.err)
		}
		if got := strings.Contains(talk.String(), "> MAIL\n> RCPT\n"); got != pipeline {
			t.Errorf("pipeline is %v, and the dialogue was\n%s", pipeline, &talk)
		}
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-served
}
