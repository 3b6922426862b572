package web_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/web"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/login"
)

// world is a console that answers, over a small house.
type world struct {
	t       *testing.T
	house   *admintest.House
	console *web.Console
	base    string // of its addresses
	client  *http.Client
	end     func()
}

// openWorld opens a console on a loopback address for guests who may give orders, if
// nothing else is said.
func openWorld(t *testing.T, o web.Options, letters ...admintest.Letter) *world {
	t.Helper()
	w := newWorld(t, o, letters...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.base = "http://" + l.Addr().String()
	w.serve(l, nil)
	return w
}

// openElsewhere opens one that seems to be reached from another machine, with TLS.
func openElsewhere(t *testing.T, o web.Options, letters ...admintest.Letter) *world {
	t.Helper()
	w := newWorld(t, o, letters...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := daemon.SelfMade(time.Now(), "mx.example.org")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	w.base = "https://mx.example.org:" + port
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
		},
	}
	w.client.Transport = transport
	w.serve(elsewhere{l}, &tls.Config{Certificates: []tls.Certificate{certificate}})
	return w
}

func newWorld(t *testing.T, o web.Options, letters ...admintest.Letter) *world {
	t.Helper()
	w := &world{t: t, house: admintest.Open(t, letters...)}
	o.API, o.Hostname, o.Version = w.house.API, "mx.example.org", "posthouse 1.0"
	if o.Rights == nil {
		o.Rights = func() web.Rights { return web.Rights{Guests: web.Operator} }
	}
	w.console = web.New(o)
	jar, _ := cookiejar.New(nil) // it never fails
	w.client = &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{}}
	return w
}

func (w *world) serve(l net.Listener, t *tls.Config) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.console.Serve(ctx, l, t) }()
	w.end = func() {
		cancel()
		w.client.CloseIdleConnections()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		done <- nil
	}
	w.t.Cleanup(w.end)
}

// elsewhere are connections that have come by an address that other machines reach.
type elsewhere struct{ net.Listener }

type farConn struct{ net.Conn }

func (l elsewhere) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return farConn{c}, err
}

func (farConn) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 80), Port: 8025} }

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(198, 51, 100, 7), Port: 40000} }

// page is an answer.
type page struct {
	status int
	header http.Header
	path   string // where it was found, after redirections
	text   string // as it came
}

// do makes a request.
func (w *world) do(method, path, body string, header ...string) page {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header, resp.Request.URL.RequestURI(), string(text)}
}

func (w *world) get(path string, header ...string) page {
	w.t.Helper()
	return w.do("GET", path, "", header...)
}

// post sends a form as a page of ours does.
func (w *world) post(path string, form ...string) page {
	w.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		v.Add(form[i], form[i+1])
	}
	return w.do("POST", path, v.Encode(), "Origin", w.base, "Sec-Fetch-Site", "same-origin")
}

// words is what a page says to its reader: all of its text, on one line.
func (p page) words() string {
	z := html.NewTokenizer(strings.NewReader(p.text))
	var words []string
	for silent := false; ; {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(words, " ")
		case html.StartTagToken:
			name, _ := z.TagName()
			silent = string(name) == "script" || string(name) == "style"
		case html.EndTagToken:
			silent = false
		case html.TextToken:
			if !silent {
				words = append(words, strings.Fields(string(z.Text()))...)
			}
		}
	}
}

// says wants a page to say things.
func (w *world) says(p page, status int, wanted ...string) {
	w.t.Helper()
	if p.status != status {
		w.t.Errorf("%s is answered %d, want %d: %.300s", p.path, p.status, status, p.words())
	}
	for _, s := range wanted {
		if !strings.Contains(p.words(), s) {
			w.t.Errorf("%s does not say %q: %s", p.path, s, p.words())
		}
	}
}

// people are accounts whose passwords are known.
type people map[string]string

func (p people) Check(_ context.Context, name, password string) (*directory.Account, error) {
	if want, ok := p[name]; !ok || want != password {
		return nil, directory.ErrNoLogin
	}
	return &directory.Account{Name: name}, nil
}

// doorFor lets people in.
func doorFor(p people) func() *login.Door {
	d := login.New(login.Options{Accounts: p})
	return func() *login.Door { return d }
}

// answered is the status of an answer within the process.
func answered(h http.Handler, path string) int { return answerOf(h, http.MethodGet, path).Code }

// answerOf is an answer within the process.
func answerOf(h http.Handler, method, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, nil)
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
