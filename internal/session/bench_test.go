//go:build unix

package session_test

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/session"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// BenchmarkMessage is what a message of 4 KB costs both ends over a connection in
// memory, with nobody who listens and with a registry: processor time, which says the
// same on a busy machine.
func BenchmarkMessage(b *testing.B) {
	for _, kept := range []bool{false, true} {
		name := map[bool]string{false: "alone", true: "registry"}[kept]
		b.Run(name, func(b *testing.B) { messages(b, kept) })
	}
}

func messages(b *testing.B, kept bool) {
	server := &smtpserver.Server{Hostname: "mx.sina.example", Handler: smtpserver.HandlerFunc(func(_ context.Context, m *smtpserver.Message) (*smtp.Reply, error) {
		_, err := io.Copy(io.Discard, m.Body)
		return nil, err
	})}
	dialer := &smtpclient.Dialer{LocalName: "client.example", TLS: smtpclient.TLSNever}
	if kept {
		r := session.New(session.Options{})
		server.NextID, server.Trace, dialer.Trace = r.NextID, r.Inbound("mx"), r.Outbound
	}
	ours, theirs := transcript.Pipe(64 << 10)
	done := make(chan error, 1)
	go func() { done <- server.ServeConn(theirs) }()
	dialer.NetDial = func(context.Context, string, string) (net.Conn, error) { return ours, nil }
	c, err := dialer.Dial(b.Context(), "tcp", "mx.sina.example:25")
	if err != nil {
		b.Fatal(err)
	}
	from, _ := smtp.ParseMailbox("ann@client.example")
	to, _ := smtp.ParseMailbox("bob@sina.example")
	env := smtpclient.Envelope{From: from, To: []smtpclient.Recipient{{Path: to}}}
	text := smtpclient.Bytes([]byte("Subject: hello\r\n\r\n" + strings.Repeat("It rains.\r\n", 360)))
	b.ReportAllocs()
	begun := processor(b)
	for b.Loop() {
		if _, err := c.Send(b.Context(), env, text); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processor(b)-begun).Nanoseconds())/float64(b.N), "cpu-ns/op")
	_ = c.Quit(context.Background())
	<-done
}

// processor is the time that the processors have worked for this process.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
