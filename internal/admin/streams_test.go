package admin_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/session"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// call begins a session with a server that is in a registry, and reads the greeting.
func call(t *testing.T, r *session.Registry) (net.Conn, *bufio.Reader) {
	t.Helper()
	server := &smtpserver.Server{
		Hostname: "mx.example.org", NextID: r.NextID, Trace: r.Inbound("mx"),
		Handler: smtpserver.HandlerFunc(func(_ context.Context, m *smtpserver.Message) (*smtp.Reply, error) {
			_, err := io.Copy(io.Discard, m.Body)
			return nil, err
		}),
	}
	ours, theirs := transcript.Pipe(4096)
	done := make(chan error, 1)
	go func() { done <- server.ServeConn(theirs) }()
	t.Cleanup(func() {
		ours.Close()
		<-done
	})
	replies := bufio.NewReader(ours)
	if _, err := replies.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return ours, replies
}

// TestSessionsBySocket: a session is seen, followed and cut by the control socket.
func TestSessionsBySocket(t *testing.T) {
	h := admintest.Open(t)
	conn, replies := call(t, h.Sessions)
	c := client.New(h.Socket)
	defer c.Close()
	page, err := c.Sessions(t.Context())
	if err != nil || len(page.Live) != 1 || len(page.Failed) != 0 {
		t.Fatalf("%v: %+v", err, page)
	}
	number := page.Live[0].ID
	var heard strings.Builder
	end, err := c.FollowSession(t.Context(), number, func(l *admin.TraceLine) error {
		heard.WriteString(l.From + ": " + l.Text + "\n")
		switch l.Text {
		case "220 mx.example.org ESMTP ready":
			_, err := io.WriteString(conn, "NOOP\r\n")
			return err
		case "250 OK":
			done, err := c.CutSession(t.Context(), number)
			if !done.Cut {
				t.Error("it was over")
			}
			return err
		}
		return nil
	})
	const want = "S: 220 mx.example.org ESMTP ready\nC: NOOP\nS: 250 OK\n-: cut by an operator\n"
	if err != nil || heard.String() != want || end.Failure != "cut by an operator" {
		t.Errorf("%v: heard\n%sand at last %+v", err, heard.String(), end)
	}
	if _, err := io.Copy(io.Discard, replies); err != nil {
		t.Error(err)
	}
	if page, err = c.Sessions(t.Context()); err != nil || len(page.Live) != 0 || len(page.Failed) != 1 {
		t.Errorf("%v: %+v", err, page)
	}
	if one, err := c.Session(t.Context(), number); err != nil || len(one.Lines) != 4 {
		t.Errorf("%v: %+v", err, one)
	}
	if _, err := c.Session(t.Context(), 4711); !client.IsMissing(err) {
		t.Error(err)
	}
}

// TestLogGoesOn: the journal is told from any place on, and nothing twice; a stream that
// was cut goes on behind the last event that was heard.
func TestLogGoesOn(t *testing.T) {
	h := admintest.Open(t)
	first := h.Send("jane@example.org", "one", "bob@sina.example")
	c := client.New(h.Socket)
	defer c.Close()
	var lines []string
	var last string
	hear := func(e *admin.LogEntry) error {
		lines, last = append(lines, e.Line), e.Seq
		return nil
	}
	if err := c.Log(t.Context(), client.LogQuery{}, hear); err != nil || len(lines) != 2 || !strings.Contains(lines[0], first.String()+" accepted") {
		t.Fatalf("%v: %q", err, lines)
	}
	second := h.Send("jane@example.org", "two", "bob@sina.example")
	lines = nil
	if err := c.Log(t.Context(), client.LogQuery{After: last}, hear); err != nil || len(lines) != 2 || !strings.Contains(lines[0], second.String()) {
		t.Errorf("%v: %q", err, lines)
	}
	lines = nil
	if err := c.Log(t.Context(), client.LogQuery{ID: first.String()}, hear); err != nil || len(lines) != 2 {
		t.Errorf("%v: of one message %q", err, lines)
	}
	followed := make(chan error, 1)
	stop := errors.New("that is what was waited for")
	go func() {
		followed <- c.Log(t.Context(), client.LogQuery{Follow: true, After: "now"}, func(e *admin.LogEntry) error {
			if strings.Contains(e.Line, "subject=two") || strings.Contains(e.Line, "subject=one") {
				t.Errorf("what was before now is told: %s", e.Line)
			}
			return cli.Fail(cli.OK, "%w", stop)
		})
	}()
	for {
		h.Send("jane@example.org", "three", "bob@sina.example")
		select {
		case err := <-followed:
			if !errors.Is(err, stop) {
				t.Error(err)
			}
			return
		case <-time.After(10 * time.Millisecond): // it may not have asked what is now yet
		}
	}
}

// TestStreamsEnd with the house, and there is an end to how many there may be.
func TestStreamsEnd(t *testing.T) {
	h := admintest.Open(t)
	call(t, h.Sessions)
	number := h.Sessions.List()[0].ID
	c := client.New(h.Socket)
	defer c.Close()
	followed, over := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := c.FollowSession(t.Context(), number, func(*admin.TraceLine) error { close(followed); return nil })
		over <- err
	}()
	<-followed
	h.End()
	select {
	case err := <-over:
		if err == nil {
			t.Error("it ended as if the session had")
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
}

// TestForPrometheus: what is told to Prometheus and supervisors.
func TestForPrometheus(t *testing.T) {
	h := admintest.Open(t)
	h.Send("jane@example.org", "one", "bob@sina.example")
	for path, want := range map[string][]string{
		"/livez":  {"200 ok"},
		"/readyz": {"200 ok"},
		"/metrics": {
			"posthouse_accepted_messages_total 1\n", `posthouse_outcomes_total{fate="relayed"} 1` + "\n",
			`posthouse_queue_recipients{state="deferred"} 0` + "\n", "posthouse_delivery_seconds_count 1\n",
			`posthouse_sessions{direction="in"} 0` + "\n", "go_goroutines ",
		},
		"/v1/overview?minutes=2": {`"accepted":1,`, `"delivered":1,`, `"name":"sina.example"`},
	} {
		got := request(t, h.Socket, http.MethodGet, path, "")
		for _, line := range want {
			if !strings.Contains(got, line) {
				t.Errorf("%s does not tell %q:\n%.3000s", path, line, got)
			}
		}
	}
}
