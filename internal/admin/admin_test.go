package admin_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/transcript"
)

// TestRequests plays testdata/requests.txt: a request a line, METHOD PATH and a
// body if there is one, and below it what is answered.
func TestRequests(t *testing.T) {
	h := admintest.Open(t)
	file := filepath.Join("testdata", "requests.txt")
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var played strings.Builder
	for line := range strings.Lines(string(script)) {
		switch method, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); {
		case strings.HasPrefix(line, "#"):
			played.WriteString(line)
		case method == "GET" || method == "POST" || method == "DELETE":
			path, body, _ := strings.Cut(rest, " ")
			played.WriteString(line + request(t, h.Socket, method, path, body) + "\n")
		}
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, []byte(played.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(script), played.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func request(t *testing.T, socket, method, path, body string) string {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s\n", resp.StatusCode, strings.TrimSpace(string(b)))
}

// TestHostileClients say what is no request: they are answered 400 or cut, and the
// next one is served.
func TestHostileClients(t *testing.T) {
	h := admintest.Open(t)
	long := strings.Repeat("x", 70_000)
	for name, said := range map[string]string{
		"noise":           "\x00\x01\x02\x03\r\n\r\n",
		"SMTP":            "EHLO there\r\n",
		"a long line":     "GET /" + long + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"a long header":   "GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + long + "\r\n\r\n",
		"a long body":     "POST /v1/queue/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + long,
		"a false length":  "POST /v1/queue/orders HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
		"two lengths":     "POST /v1/queue/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"a cut body":      "POST /v1/queue/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
		"half a request":  "GET /v1/st",
		"nothing":         "",
		"a path that ..s": "GET /v1/messages/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", h.Socket)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, said) // it may be cut before all is said
			_ = conn.(*net.UnixConn).CloseWrite()
			answer, _ := io.ReadAll(conn)
			if first, _, _ := strings.Cut(string(answer), "\r\n"); first != "" && !strings.Contains(first, " 4") && !strings.Contains(first, " 3") {
				t.Errorf("answered %q", first)
			}
		})
	}
	c := client.New(h.Socket)
	defer c.Close()
	if st, err := c.Status(t.Context()); err != nil || st.Hostname != "mx.example.org" {
		t.Errorf("and then: %+v, %v", st, err)
	}
}

// TestWhoMay: root, the user of the house and the socket's group; nobody else, and
// nobody of whom nothing is known.
func TestWhoMay(t *testing.T) {
	self := uint32(os.Geteuid())
	group := uint32(os.Getegid())
	for _, c := range []struct {
		name string
		peer admin.Peer
		err  error
		may  bool
	}{
		{name: "root", peer: admin.Peer{UID: 0, GID: 4_000_001}, may: true},
		{name: "the user of the house", peer: admin.Peer{UID: self, GID: 4_000_001}, may: true},
		{name: "the group of the socket", peer: admin.Peer{UID: 4_000_000, GID: group}, may: true},
		{name: "a stranger", peer: admin.Peer{UID: 4_000_000, GID: 4_000_001}},
		{name: "nobody knows", err: errors.New("no such system call")},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket := serve(t, admin.Options{
				Spool: memspool.New(memspool.Options{}), Identify: func(net.Conn) (admin.Peer, error) { return c.peer, c.err },
			})
			asks := client.New(socket)
			defer asks.Close()
			_, err := asks.List(t.Context(), "", "", 1)
			status, _ := cli.StatusOf(err)
			if c.may && err != nil || !c.may && status != cli.NoPerm {
				t.Errorf("%v (%d)", err, status)
			}
			if !c.may && !strings.Contains(err.Error(), "root may") {
				t.Errorf("it is not said who may: %v", err)
			}
		})
	}
}

func serve(t *testing.T, o admin.Options) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "house") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, admin.SocketName)
	l, err := admin.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- admin.New(o).Serve(ctx, l) }()
	t.Cleanup(func() {
		end()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	return socket
}

// TestListen: a socket has its mode, takes the place of a dead one, and never that
// of a living one or of anything else.
func TestListen(t *testing.T) {
	dir, err := os.MkdirTemp("", "house")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, admin.SocketName)
	l, err := admin.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := admin.Listen(path); err == nil || !strings.Contains(err.Error(), "another process listens on it") {
		t.Errorf("beside a living one: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as if it had been killed
	l.Close()
	if l, err = admin.Listen(path); err != nil {
		t.Fatalf("in the place of a dead one: %v", err)
	}
	l.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(path); err == nil {
		t.Error("in the place of a file")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file has %q, %v", b, err)
	}
	if _, err := admin.Listen(filepath.Join(dir, strings.Repeat("x", 200))); err == nil || !strings.Contains(err.Error(), "shorter data directory") {
		t.Errorf("a long name: %v", err)
	}
}

// TestDamagedTextIsNotTakenForWhole: the client hears that the text is cut.
func TestDamagedTextIsNotTakenForWhole(t *testing.T) {
	h := admintest.Open(t, admintest.Letter{From: "ann@example.org", Age: time.Hour, To: []admintest.Waiting{{To: "bob@sina.example", Held: "root", Due: time.Hour}}})
	c := client.New(h.Socket)
	defer c.Close()
	page, err := c.List(t.Context(), "", "", 0)
	if err != nil || len(page.Recipients) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	id := page.Recipients[0].ID
	if text, err := whole(t, c, id.String()); err != nil || !strings.Contains(text, "It rains.") {
		t.Errorf("%q, %v", text, err)
	}
	h.Spool.Spoil(id)
	if text, err := whole(t, c, id.String()); err == nil {
		t.Errorf("a damaged text is taken for whole: %q", text)
	}
}

func whole(t *testing.T, c *client.Client, id string) (string, error) {
	t.Helper()
	r, err := c.Text(t.Context(), id)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// pipes is a listener of connections in memory.
type pipes struct {
	calls chan net.Conn
	once  sync.Once
	over  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.calls:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.over) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "nowhere", Net: "unix"} }

// TestSlowClientsAreCut: in a bubble, where time is ours. A client that does not
// come to the end of its request is cut after ten seconds, and the end of the house
// does not wait for one that says nothing.
func TestSlowClientsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{calls: make(chan net.Conn), over: make(chan struct{})}
		api := admin.New(admin.Options{
			Spool:    memspool.New(memspool.Options{}),
			Identify: func(net.Conn) (admin.Peer, error) { return admin.Peer{UID: 0}, nil },
		})
		ctx, end := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- api.Serve(ctx, l) }()
		for name, said := range map[string]string{
			"half a head": "GET /v1/queue HTTP/1.1\r\nHost:",
			"half a body": "POST /v1/queue/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
		} {
			ours, theirs := transcript.Pipe(1 << 16)
			l.calls <- theirs
			start := time.Now()
			if _, err := io.WriteString(ours, said); err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(ours)
			if took := time.Since(start); took < 9*time.Second || took > 20*time.Second {
				t.Errorf("%s: cut after %v: %.40q", name, took, answer)
			}
			ours.Close()
		}
		ours, theirs := transcript.Pipe(1 << 16)
		l.calls <- theirs
		fmt.Fprintf(ours, "GET /v1/queue HTTP/1.1\r\nHost: x\r\n\r\n")
		if line, err := bufio.NewReader(ours).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
			t.Errorf("%q, %v", line, err)
		}
		start := time.Now()
		end()
		if err := <-served; err != nil || time.Since(start) > 3*time.Second {
			t.Errorf("it ended after %v: %v", time.Since(start), err)
		}
		ours.Close()
	})
}
