package lmtp_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/lmtp"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

func store(p *transporttest.Peer) *lmtp.Transport {
	p.LMTP = true
	return lmtp.New(lmtp.Options{
		Address: "store.test:24", LocalName: "client.test", TLS: smtpclient.TLSNever,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) { return p.Dial(ctx) },
	})
}

func TestSuite(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Subject {
		tr := store(&transporttest.Peer{Offers: []string{"PIPELINING"}})
		t.Cleanup(func() { _ = tr.Close(context.Background()) })
		return transporttest.Subject{Transport: tr, Domain: "b.test", Accepted: mail.Delivered}
	})
}

func TestDialogues(t *testing.T) {
	transporttest.Dialogues(t, true, func(t *testing.T, p *transporttest.Peer) (transport.Transport, mail.Hop, func()) {
		tr := store(p)
		return tr, mail.Hop{}, func() { _ = tr.Close(t.Context()) }
	})
}

func send(t *testing.T, tr transport.Transport, to ...string) string {
	t.Helper()
	d := transporttest.Delivery(transporttest.Envelope(t, to...), transporttest.Hello, mail.Hop{})
	outcomes := tr.Deliver(t.Context(), d)
	transporttest.Check(t, d, outcomes)
	return transporttest.Tell(outcomes)
}

// TestStore: what a store says of each recipient, at RCPT and behind the text.
func TestStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := store(&transporttest.Peer{Replies: map[string]string{
			"RCPT TO:<no@b.test>": "550 5.1.1 nobody\r\n",
			". full@b.test":       "452 4.2.2 full\r\n",
			". odd@b.test":        "554 5.6.0 no such text\r\n",
		}})
		defer func() { _ = tr.Close(t.Context()) }()
		got := send(t, tr, "a@b.test", "no@b.test", "full@b.test", "odd@b.test")
		want := `0 delivered 250 2.0.0 queued, at ., store.test:24 []
1 failed 550 5.1.1 nobody, at RCPT, store.test:24 []
2 deferred 452 4.2.2 full, at ., store.test:24 []
3 failed 554 5.6.0 no such text, at ., store.test:24 []
`
		if got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}

// TestTooMany: the rest goes in the same delivery, over the same connection.
func TestTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &transporttest.Peer{Offers: []string{"LIMITS RCPTMAX=2"}}
		tr := store(p)
		defer func() { _ = tr.Close(t.Context()) }()
		got := send(t, tr, "a@b.test", "b@b.test", "c@b.test", "d@b.test", "e@b.test")
		synctest.Wait()
		if strings.Count(got, "delivered") != 5 || len(p.Took()) != 5 || p.Conns() != 1 {
			t.Errorf("%s%v over %d connections", got, p.Took(), p.Conns())
		}
	})
}

// TestAway: a store that is not there, over a unix socket.
func TestAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtp")
	tr := lmtp.New(lmtp.Options{Address: path})
	got := send(t, tr, "a@b.test", "b@b.test")
	if strings.Count(got, "deferred 451 4.4.1") != 2 || strings.Count(got, "host down") != 2 {
		t.Error(got)
	}
}

// TestUnixSocket: TLS is not asked of one, whatever the options say.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtp")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p := &transporttest.Peer{LMTP: true}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err == nil {
			p.Serve(c)
		}
	}()
	tr := lmtp.New(lmtp.Options{Address: path, LocalName: "client.test"})
	if got := send(t, tr, "a@b.test"); !strings.HasPrefix(got, "0 delivered 250 2.0.0 queued") {
		t.Error(got)
	}
	if err := errors.Join(tr.Close(t.Context()), l.Close()); err != nil {
		t.Error(err)
	}
	<-done
}

// TestOurLimit: to wait for one of our own connections is no attempt.
func TestOurLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &transporttest.Peer{LMTP: true, Replies: map[string]string{"MAIL": transporttest.Hang}}
		tr := lmtp.New(lmtp.Options{
			Address: "store.test:24", LocalName: "client.test", TLS: smtpclient.TLSNever, MaxConns: 1,
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) { return p.Dial(ctx) },
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		first := make(chan []mail.Outcome)
		d := transporttest.Delivery(transporttest.Envelope(t, "a@b.test"), transporttest.Hello, mail.Hop{})
		go func() { first <- tr.Deliver(ctx, d) }()
		synctest.Wait()
		waited := transporttest.Tell(tr.Deliver(ctx, d))
		if !strings.Contains(waited, "our limit") {
			t.Error(waited)
		}
		if got := transporttest.Tell(<-first); strings.Contains(got, "our limit") || !strings.Contains(got, "deferred 451 4.4.2 MAIL") {
			t.Error(got)
		}
		_ = tr.Close(t.Context())
		synctest.Wait()
	})
}
