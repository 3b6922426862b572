package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// office is an authority whose certificates are good for 90 days.
type office struct {
	mu      sync.Mutex
	trouble error
	torn    bool
	wish    wish
	silent  error // about its wishes
	given   *tls.Certificate
	asked   int
	log     []string // what was done, and when
	start   time.Time
}

func (o *office) note(what string) {
	o.log = append(o.log, fmt.Sprintf("%s %s", time.Since(o.start).Round(time.Minute), what))
}

func (o *office) load(context.Context, string) (*tls.Certificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.torn:
		return nil, errors.New("the key is another's")
	case o.given == nil:
		return nil, fs.ErrNotExist
	}
	return o.given, nil
}

func (o *office) give(how string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.trouble != nil {
		o.note(how + ": " + o.trouble.Error())
		return o.trouble
	}
	o.note(how)
	o.torn, o.wish = false, wish{} // it was about the one before
	o.given = &tls.Certificate{Leaf: &x509.Certificate{NotBefore: time.Now(), NotAfter: time.Now().Add(90 * 24 * time.Hour)}}
	return nil
}

func (o *office) obtain(context.Context, string) error { return o.give("obtain") }
func (o *office) renew(context.Context, string) error  { return o.give("renew") }

func (o *office) wants(context.Context, *tls.Certificate) (wish, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	return o.wish, o.silent
}
func (o *office) serveHTTP(http.ResponseWriter, *http.Request) bool { return false }
func (o *office) challenge(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return nil, errors.New("none")
}
func (o *office) close() {}

func (o *office) alone(context.Context, string) (func(), error)     { return func() {}, nil }
func (o *office) tried(context.Context, string) (*attempt, error)   { return nil, fs.ErrNotExist }
func (o *office) leaveWord(context.Context, string, *attempt) error { return nil }

// change changes how the office is.
func (o *office) change(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

// run runs a keeper at an office, and what happens there, and returns what was done.
func (o *office) run(t *testing.T, happens func(k *Keeper)) string {
	t.Helper()
	o.start = time.Now()
	k := open(t.Context(), Options{Names: []string{"mx.example"}, Log: slog.New(slog.DiscardHandler), Changed: func() {}}, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx) }()
	synctest.Wait()
	happens(k)
	cancel()
	<-done
	k.Close()
	return strings.Join(o.log, "\n")
}

const day = 24 * time.Hour

// after waits, and until nobody does anything.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAThirdIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{silent: errors.New("404")}
		got := o.run(t, func(*Keeper) { after(200 * day) })
		if want := "0s obtain\n1440h0m0s renew\n2880h0m0s renew\n4320h0m0s renew"; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if o.asked < 4*190 || o.asked > 4*200 {
			t.Errorf("it was asked %d times for its wishes", o.asked)
		}
	})
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{trouble: errors.New("no")}
		got := o.run(t, func(k *Keeper) {
			after(12 * time.Hour)
			if s := k.States()[0]; s.Failures != 6 || s.Err == nil || s.Certificate != nil || s.Next.Sub(o.start).Round(time.Minute) != 16*time.Hour+11*time.Minute {
				t.Errorf("%+v, next after %v", s, s.Next.Sub(o.start))
			}
			o.change(func() { o.trouble = nil })
			after(12 * time.Hour)
			if s := k.States()[0]; s.Failures != 0 || s.Err != nil || s.Certificate == nil {
				t.Errorf("%+v", s)
			}
		})
		want := "0s obtain: no\n1m0s obtain: no\n11m0s obtain: no\n1h11m0s obtain: no\n4h11m0s obtain: no\n10h11m0s obtain: no\n16h11m0s obtain"
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestARenewalThatFailsKeepsTheCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{}
		o.run(t, func(k *Keeper) {
			after(59 * day)
			o.change(func() { o.trouble = errors.New("no") })
			after(2 * day)
			if s := k.States()[0]; s.Certificate == nil || s.Failures != 8 {
				t.Errorf("%+v", s)
			}
			o.change(func() { o.trouble = nil })
			after(6 * time.Hour)
			if s := k.States()[0]; s.Failures != 0 || time.Until(s.Certificate.Leaf.NotAfter) < 89*day {
				t.Errorf("%+v", s)
			}
		})
	})
}

func TestWishesOfTheAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{}
		got := o.run(t, func(*Keeper) {
			after(10 * day)
			soon := time.Now().Add(day)
			o.change(func() { o.wish = wish{from: soon, to: soon.Add(2 * day), at: soon.Add(day)} })
			after(day)
			o.change(func() { o.wish.at = soon.Add(40 * time.Hour) }) // another one that was chosen: the first stays
			after(4 * day)
		})
		if want := "0s obtain\n288h0m0s renew"; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestWhatIsTornIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{torn: true}
		if got := o.run(t, func(*Keeper) {}); got != "0s renew" {
			t.Errorf("got %q", got)
		}
	})
}
