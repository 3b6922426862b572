package acme_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/acme"
	"github.com/posthouse/posthouse/internal/acme/acmetest"
)

// journal is a log to wait for.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case j.more <- struct{}{}:
	default:
	}
	return j.text.Write(p)
}

func (j *journal) shows(t *testing.T, text string, times int) {
	t.Helper()
	guard := time.After(2 * time.Minute)
	for {
		j.mu.Lock()
		s := j.text.String()
		j.mu.Unlock()
		if strings.Count(s, text) >= times {
			return
		}
		select {
		case <-j.more:
		case <-guard:
			t.Fatalf("the log never had %q: %s", text, s)
		}
	}
}

// keep runs a keeper whose challenges are answered where the authority asks. The
// function ends it.
func keep(t *testing.T, p *acmetest.Authority, o acme.Options) (*acme.Keeper, *journal, func()) {
	t.Helper()
	k, j := opened(t, p, o)
	return k, j, run(t, k)
}

func opened(t *testing.T, p *acmetest.Authority, o acme.Options) (*acme.Keeper, *journal) {
	t.Helper()
	j := &journal{more: make(chan struct{}, 1)}
	o.Directory, o.Roots, o.Log = p.Directory, p.Client(), slog.New(slog.NewTextHandler(j, nil))
	k, err := acme.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return k, j
}

// run has a keeper work until the function is called.
func run(t *testing.T, k *acme.Keeper) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { k.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); ended.Wait(); k.Close() })
	t.Cleanup(stop)
	return stop
}

// answerHTTP answers HTTP-01 by a keeper that comes later.
func answerHTTP(t *testing.T, p *acmetest.Authority) *atomic.Pointer[acme.Keeper] {
	var k atomic.Pointer[acme.Keeper]
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k := k.Load(); k != nil {
			k.ServeHTTP(w, r)
		}
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(p.HTTP) }()
	t.Cleanup(func() { _ = s.Close(); <-served })
	return &k
}

// answerALPN answers TLS-ALPN-01.
func answerALPN(t *testing.T, p *acmetest.Authority) *atomic.Pointer[acme.Keeper] {
	var k atomic.Pointer[acme.Keeper]
	l := tls.NewListener(p.TLSALPN, &tls.Config{NextProtos: []string{acme.Protocol}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if k := k.Load(); k != nil && acme.Asks(h) {
			return k.Challenge(h)
		}
		return nil, nil
	}})
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-served })
	return &k
}

func good(t *testing.T, p *acmetest.Authority, c *tls.Certificate, name string) {
	t.Helper()
	if err := p.Good(c, name); err != nil {
		t.Error(err)
	}
}

func TestCertificatesComeByBothChallenges(t *testing.T) {
	t.Parallel() // each with names of its own
	p := acmetest.New(t)
	byHTTP, byALPN := answerHTTP(t, p), answerALPN(t, p)
	dir := t.TempDir()
	for _, x := range []struct {
		name string
		opts acme.Options
		hook *atomic.Pointer[acme.Keeper]
	}{
		{"http-01.example", acme.Options{HTTP: p.HTTP.Addr().String(), Email: "jane@example.org"}, byHTTP},
		{"tls-alpn-01.example", acme.Options{TLSALPN: p.TLSALPN.Addr().String()}, byALPN},
	} {
		t.Run(x.name, func(t *testing.T) {
			x.opts.Dir, x.opts.Names = filepath.Join(dir, x.name), []string{x.name, "also." + x.name}
			var changed atomic.Int32
			x.opts.Changed = func() { changed.Add(1) }
			k, j, stop := keep(t, p, x.opts)
			if s := k.States()[0]; s.Name != x.name || s.Certificate != nil {
				t.Errorf("before: %+v", s)
			}
			x.hook.Store(k)
			j.shows(t, "a new certificate is in use", 2)
			stop()
			for i, s := range k.States() {
				good(t, p, s.Certificate, x.opts.Names[i])
				if s.Err != nil || s.Failures != 0 || !s.Next.After(time.Now().Add(24*time.Hour)) {
					t.Errorf("%+v", s)
				}
			}
			if n := changed.Load(); n != 2 {
				t.Errorf("told %d times", n)
			}
			closed(t, x.opts.Dir)
		})
	}
}

// closed sees that nobody else can read what is below a directory.
func closed(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestItIsRenewedWhenTheAuthorityWants: as after a mistake of its own. What was got
// before is there at once after a restart, and the key stays if that is wanted.
func TestItIsRenewedWhenTheAuthorityWants(t *testing.T) {
	t.Parallel() // each with names of its own
	p := acmetest.New(t)
	hook := answerHTTP(t, p)
	for _, reuse := range []bool{false, true} {
		t.Run("reuse "+strconv.FormatBool(reuse), func(t *testing.T) {
			o := acme.Options{Dir: t.TempDir() + "/acme", Names: []string{"renewed.example"}, HTTP: p.HTTP.Addr().String(), ReuseKey: reuse}
			k, j, stop := keep(t, p, o)
			hook.Store(k)
			j.shows(t, "a new certificate is in use", 1)
			stop()
			first := k.States()[0].Certificate
			p.Hurry(first)

			k, j, stop = keep(t, p, o)
			hook.Store(k)
			if c := k.States()[0].Certificate; c == nil || !c.Leaf.Equal(first.Leaf) && c.Leaf.NotBefore.Equal(first.Leaf.NotBefore) {
				t.Error("the certificate was not kept")
			}
			j.shows(t, "a new certificate is in use", 1)
			stop()
			second := k.States()[0].Certificate
			good(t, p, second, "renewed.example")
			if second.Leaf.Equal(first.Leaf) {
				t.Error("it was not renewed")
			}
			if same := bytes.Equal(second.Leaf.RawSubjectPublicKeyInfo, first.Leaf.RawSubjectPublicKeyInfo); same != reuse {
				t.Errorf("the key is the same: %v", same)
			}
		})
	}
}

// TestATornCertificateIsGotAgain: as after a crash between the writing of two files.
func TestATornCertificateIsGotAgain(t *testing.T) {
	t.Parallel() // each with names of its own
	p := acmetest.New(t)
	hook := answerHTTP(t, p)
	o := acme.Options{Dir: t.TempDir() + "/acme", Names: []string{"torn.example"}, HTTP: p.HTTP.Addr().String()}
	k, j, stop := keep(t, p, o)
	hook.Store(k)
	j.shows(t, "a new certificate is in use", 1)
	stop()
	found, err := filepath.Glob(o.Dir + "/certificates/*/torn.example/torn.example.crt")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if err := os.WriteFile(found[0], []byte("half of a certi"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, j, stop = keep(t, p, o)
	hook.Store(k)
	j.shows(t, "a new certificate is in use", 1)
	stop()
	good(t, p, k.States()[0].Certificate, "torn.example")
}

// TestFailuresAreTold: in words of the authority, on one line.
func TestFailuresAreTold(t *testing.T) {
	t.Parallel() // each with names of its own
	p := acmetest.New(t)
	hook := answerHTTP(t, p)
	for _, x := range []struct {
		name  string
		spoil func(o *acme.Options)
		want  string
	}{
		{"nobody answers", func(*acme.Options) { hook.Store(nil) }, "unauthorized"},
		{"the name is nowhere", func(*acme.Options) { p.Lose() }, "HTTP 400"},
		{"the authority is not who it says", func(o *acme.Options) { o.Roots = x509.NewCertPool() }, "certificate signed by unknown authority"},
		{"the authority is away", func(o *acme.Options) { o.Directory = "https://127.0.0.1:1/dir" }, "connection refused"},
		{"it is none", func(o *acme.Options) { o.Directory = p.URL + "/nothing" }, "HTTP 404"},
	} {
		t.Run(x.name, func(t *testing.T) {
			j := &journal{more: make(chan struct{}, 1)}
			o := acme.Options{
				Dir: t.TempDir() + "/acme", Names: []string{"failing.example"}, HTTP: p.HTTP.Addr().String(),
				Directory: p.Directory, Roots: p.Client(), Log: slog.New(slog.NewTextHandler(j, nil)),
			}
			x.spoil(&o)
			k, err := acme.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var ended sync.WaitGroup
			ended.Go(func() { k.Run(ctx) })
			j.shows(t, "no new certificate could be got", 1)
			cancel()
			ended.Wait()
			k.Close()
			s := k.States()[0]
			if s.Err == nil || !strings.Contains(s.Err.Error(), x.want) || strings.Contains(s.Err.Error(), "\n") {
				t.Errorf("%v, want %q", s.Err, x.want)
			}
			if wait := time.Until(s.Next); s.Failures != 1 || wait > time.Minute {
				t.Errorf("after %d failures it waits %v", s.Failures, wait)
			}
		})
	}
}

func TestOthersMustNotReadTheKeys(t *testing.T) {
	dir := t.TempDir() + "/acme"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	_, err := acme.Open(t.Context(), acme.Options{Dir: dir, Directory: "https://ca.example/", Names: []string{"mx.example"}, HTTP: ":80"})
	if err == nil || !strings.Contains(err.Error(), "0750, and it holds keys: let it be 0700") {
		t.Error(err)
	}
}

// TestAnAccountOfBeforehand: an authority that serves only those whom it knows (RFC 8555, 7.3.4)
// gives a certificate to who has its key, and to nobody else; and the key is told to nobody.
func TestAnAccountOfBeforehand(t *testing.T) {
	t.Parallel() // each with names of its own
	const key, wrong = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ", "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI"
	p := acmetest.NewFor(t, map[string]string{"posthouse-1": key})
	hook := answerHTTP(t, p)
	for _, x := range []struct {
		name    string
		account acme.Account
		want    string // of the error; "": a certificate comes
	}{
		{"ours", acme.Account{ID: "posthouse-1", Key: key}, ""},
		{"padded", acme.Account{ID: "posthouse-1", Key: key + "=="}, ""},
		{"none", acme.Account{}, "externalAccountRequired"},
		{"another key", acme.Account{ID: "posthouse-1", Key: wrong}, "HTTP 4"},
		{"another account", acme.Account{ID: "posthouse-2", Key: key}, "HTTP 4"},
	} {
		t.Run(x.name, func(t *testing.T) {
			k, j, stop := keep(t, p, acme.Options{
				Dir: t.TempDir() + "/acme", Names: []string{"known.example"}, HTTP: p.HTTP.Addr().String(), Account: x.account,
			})
			hook.Store(k)
			told := "a new certificate is in use"
			if x.want != "" {
				told = "no new certificate could be got"
			}
			j.shows(t, told, 1)
			stop()
			if s := k.States()[0]; x.want == "" {
				good(t, p, s.Certificate, "known.example")
			} else if s.Err == nil || !strings.Contains(s.Err.Error(), x.want) {
				t.Errorf("%v, want %s", s.Err, x.want)
			}
			if text := j.text.String(); strings.Contains(text, key) || strings.Contains(text, wrong) {
				t.Errorf("the key is in the log: %s", text)
			}
		})
	}
}

func TestTheKeyOfAnAccountIsBase64(t *testing.T) {
	_, err := acme.Open(t.Context(), acme.Options{
		Dir: t.TempDir() + "/acme", Directory: "https://ca.example/", Names: []string{"mx.example"}, HTTP: ":80",
		Account: acme.Account{ID: "x", Key: "canary canary"},
	})
	if err == nil || !strings.Contains(err.Error(), "the key of the account is not in base64") || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}
