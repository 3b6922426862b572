package smtpserver_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// TestServeConn: a connection in memory is answered like any other, and refused
// once the server is shut down.
func TestServeConn(t *testing.T) {
	server := &smtpserver.Server{
		Hostname: "sina.com",
		Handler: smtpserver.HandlerFunc(func(_ context.Context, m *smtpserver.Message) (*smtp.Reply, error) {
			_, err := io.Copy(io.Discard, m.Body)
			return nil, err
		}),
	}
	ours, theirs := transcript.Pipe(4096)
	done := make(chan error)
	go func() { done <- server.ServeConn(theirs) }()
	_, _ = io.WriteString(ours, "QUIT\r\n")
	greeting, err := bufio.NewReader(ours).ReadString('\n')
	if err != nil || !strings.HasPrefix(greeting, "220 sina.com ") {
		t.Errorf("greeted with %q, %v", greeting, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ours, theirs = transcript.Pipe(4096)
	if err := server.ServeConn(theirs); err != smtpserver.ErrServerClosed {
		t.Errorf("after Shutdown: %v", err)
	}
	if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection was left open: %v", err)
	}
	if err := new(smtpserver.Server).ServeConn(theirs); err == nil {
		t.Error("a server without Handler serves")
	}
}
