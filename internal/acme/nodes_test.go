package acme_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/posthouse/posthouse/internal/acme"
	"github.com/posthouse/posthouse/internal/acme/acmetest"
	"github.com/posthouse/posthouse/internal/acme/shelf"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// stores are those that nodes may share.
func stores(t *testing.T) map[string]certmagic.Storage {
	engine := memspool.New(memspool.Options{})
	t.Cleanup(func() { _ = engine.Close() })
	key := func() ([]byte, error) { return []byte("0123456789abcdef"), nil }
	return map[string]certmagic.Storage{
		"files":  &certmagic.FileStorage{Path: t.TempDir()},
		"states": shelf.New(shelf.Options{States: engine, Key: key}),
	}
}

// counted counts the certificates that are put into a store.
type counted struct {
	certmagic.Storage
	came atomic.Int32
}

func (c *counted) Store(ctx context.Context, key string, value []byte) error {
	if strings.HasSuffix(key, ".crt") {
		c.came.Add(1)
	}
	return c.Storage.Store(ctx, key, value)
}

// of are the options of one of several nodes on a store.
func of(node string, o acme.Options) acme.Options {
	o.Node, o.Every = node, 20*time.Millisecond
	return o
}

// TestNodesHaveTheSameCertificates: one gets them, and the next ones, and the others take them up.
func TestNodesHaveTheSameCertificates(t *testing.T) {
	t.Parallel() // each with names of its own
	for kind, store := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			p := acmetest.New(t)
			hook := answerHTTP(t, p)
			c := &counted{Storage: store}
			o := acme.Options{Store: c, Email: "nodes@example.org", Names: []string{"one.nodes.example", "two.nodes.example"}, HTTP: p.HTTP.Addr().String()}
			var before *tls.Certificate
			for round := range int32(2) {
				if before != nil {
					p.Hurry(before)
				}
				a, heardA := opened(t, p, of("a", o)) // both, before either works
				b, heardB := opened(t, p, of("b", o))
				hook.Store(a)
				stopA, stopB := run(t, a), run(t, b)
				heardA.shows(t, "a new certificate is in use", 2-int(round))
				heardB.shows(t, "a new certificate is in use", 2-int(round))
				stopA()
				stopB()
				for i, s := range a.States() {
					good(t, p, s.Certificate, o.Names[i])
					if !s.Certificate.Leaf.Equal(b.States()[i].Certificate.Leaf) {
						t.Errorf("%s is not the same at both", s.Name)
					}
				}
				if n := c.came.Load(); n != 2+round {
					t.Errorf("%d certificates were got", n)
				}
				now := a.States()[0].Certificate
				if before != nil && now.Leaf.Equal(before.Leaf) {
					t.Error("it was not renewed")
				}
				before = now
			}
			accounts(t, store)
		})
	}
}

// accounts sees that there is one.
func accounts(t *testing.T, store certmagic.Storage) {
	t.Helper()
	all, err := store.List(t.Context(), "acme", true)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, key := range all {
		if strings.HasSuffix(key, ".key") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("there are %d accounts: %q", n, all)
	}
}

// TestNodesWaitTogether: the authority counts failures of all of them as one's.
func TestNodesWaitTogether(t *testing.T) {
	t.Parallel() // each with names of its own
	for kind, store := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			p := acmetest.New(t)
			p.Lose()
			o := acme.Options{Store: store, Names: []string{"lost.nodes.example"}, HTTP: p.HTTP.Addr().String()}
			a, heardA, stopA := keep(t, p, of("a", o))
			heardA.shows(t, "no new certificate could be got", 1)
			b, heardB, stopB := keep(t, p, of("b", o))
			heardB.shows(t, "waiting with another node", 1)
			stopA()
			stopB()
			is, other := a.States()[0], b.States()[0]
			if other.Err == nil || !strings.Contains(other.Err.Error(), `HTTP 400`) || !strings.HasSuffix(other.Err.Error(), `as node "a" found`) ||
				other.Failures != 1 || other.Next.Sub(is.Next).Abs() > time.Second || strings.Contains(heardB.text.String(), "no new certificate") {
				t.Errorf("%+v, and of the other %+v", is, other)
			}
			// Who is begun again tries again: an operator may have mended it.
			_, heardA, stopA = keep(t, p, of("a", o))
			heardA.shows(t, "no new certificate could be got", 1)
			stopA()
		})
	}
}

// TestAnotherNodeAnswers: the authority asks a node, in a process of its own, that has nothing of the
// order but what is in the store.
func TestAnotherNodeAnswers(t *testing.T) {
	if os.Getenv(helper) != "" {
		answer(t)
		return
	}
	t.Parallel() // each with names of its own
	for kind, store := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			p := acmetest.New(t)
			http01, alpn := otherNode(t, p, store)
			relay(t, p.HTTP, http01)
			relay(t, p.TLSALPN, alpn)
			for _, o := range []acme.Options{
				{Names: []string{"http.answered.example"}, HTTP: p.HTTP.Addr().String()},
				{Names: []string{"alpn.answered.example"}, TLSALPN: p.TLSALPN.Addr().String()},
			} {
				o.Store = store
				k, j, stop := keep(t, p, of("a", o))
				j.shows(t, "a new certificate is in use", 1)
				stop()
				good(t, p, k.States()[0].Certificate, o.Names[0])
			}
		})
	}
}

// helper is set in the process of the other node: the URL of the store.
const helper = "POSTHOUSE_TEST_ACME_STORE"

// otherNode begins a process that answers for a node, and says where.
func otherNode(t *testing.T, p *acmetest.Authority, store certmagic.Storage) (http01, alpn string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := store.Load(r.Context(), r.URL.Query().Get("key"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(value)
	}))
	t.Cleanup(s.Close)
	cmd := exec.Command(os.Args[0], "-test.run=^TestAnotherNodeAnswers$")
	cmd.Env = append(os.Environ(), helper+"="+s.URL, "POSTHOUSE_TEST_ACME_DIRECTORY="+p.Directory)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if _, err := fmt.Fscanln(out, &http01, &alpn); err != nil {
		t.Fatal(err)
	}
	return http01, alpn
}

// answer answers challenges until the standard input ends.
func answer(t *testing.T) {
	k, err := acme.Open(t.Context(), acme.Options{
		Directory: os.Getenv("POSTHOUSE_TEST_ACME_DIRECTORY"), Store: elsewhere{url: os.Getenv(helper)}, Node: "b",
		Names: []string{"http.answered.example", "alpn.answered.example"}, HTTP: ":80", TLSALPN: ":443", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	at := &acmetest.Authority{HTTP: local(t), TLSALPN: local(t)} // as far as who answers is concerned
	answerHTTP(t, at).Store(k)
	answerALPN(t, at).Store(k)
	fmt.Println(at.HTTP.Addr(), at.TLSALPN.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// elsewhere is a store of which somebody who answers needs to load only.
type elsewhere struct {
	certmagic.Storage
	url string
}

func (e elsewhere) Load(ctx context.Context, key string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+"?key="+key, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fs.ErrNotExist
	}
	return io.ReadAll(resp.Body)
}

func local(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// relay brings connections elsewhere, as a balancer does.
func relay(t *testing.T, l net.Listener, to string) {
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { carry(conn, to) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
}

func carry(conn net.Conn, to string) {
	defer conn.Close()
	other, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer other.Close()
	go func() { _, _ = io.Copy(other, conn); _ = other.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(conn, other)
}

// unreadable is a store that must not be asked.
type unreadable struct {
	certmagic.Storage
	t *testing.T
}

func (u unreadable) Load(_ context.Context, key string) ([]byte, error) {
	if strings.Contains(key, "challenge") {
		u.t.Errorf("it was asked for %q", key)
	}
	return nil, fs.ErrNotExist
}

// TestStrangersDoNotReachTheStore: what they call a host is compared with our names, and no more.
func TestStrangersDoNotReachTheStore(t *testing.T) {
	k, err := acme.Open(t.Context(), acme.Options{
		Store: unreadable{t: t}, Node: "a", Directory: "https://ca.example/", Names: []string{"mx.example"}, HTTP: ":80",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for _, host := range []string{"", "other.example", "mx.example.", "..", strings.Repeat("x", 10_000), "mx.example/../../x", "[::1]:80", "other.example:80"} {
		r := httptest.NewRequest(http.MethodGet, "/.well-known/acme-challenge/guess", nil)
		r.Host = host
		w := httptest.NewRecorder()
		k.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%.40q: %d", host, w.Code)
		}
		if _, err := k.Challenge(&tls.ClientHelloInfo{ServerName: host, SupportedProtos: []string{acme.Protocol}}); err == nil {
			t.Errorf("%.40q: there was an answer", host)
		}
	}
}

// TestHalfOfACertificateIsNotTakenUp: as while another node writes it.
func TestHalfOfACertificateIsNotTakenUp(t *testing.T) {
	t.Parallel() // each with names of its own
	p := acmetest.New(t)
	hook := answerHTTP(t, p)
	store := &certmagic.FileStorage{Path: t.TempDir()}
	o := acme.Options{Store: store, Names: []string{"half.nodes.example"}, HTTP: p.HTTP.Addr().String()}
	k, j, stop := keep(t, p, of("a", o))
	hook.Store(k)
	j.shows(t, "a new certificate is in use", 1)
	stop()
	first := k.States()[0].Certificate
	chain := keyOf(t, store, ".crt")
	if err := store.Store(t.Context(), chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Known.Raw})); err != nil {
		t.Fatal(err)
	}
	k.Look(t.Context())
	if s := k.States()[0]; !s.Certificate.Leaf.Equal(first.Leaf) || s.Err != nil {
		t.Errorf("%+v", s)
	}
}

func keyOf(t *testing.T, store certmagic.Storage, ending string) string {
	t.Helper()
	all, err := store.List(t.Context(), "certificates", true)
	for _, key := range all {
		if strings.HasSuffix(key, ending) {
			return key
		}
	}
	t.Fatalf("%v, %v", all, err)
	return ""
}
