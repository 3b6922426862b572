package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/simnet"
)

// TestDrippers: a crowd as large as the house has places takes them all, each from an
// address of its own, and says its commands an octet at a time; one that is turned out comes
// again at once. Somebody honest who tries every few seconds is served within a minute, each time.
//
// Plain runs have a house of 300 places; POSTHOUSE_TEST_ALL one of the 10,000 that are the default.
func TestDrippers(t *testing.T) {
	places, limit := 300, "limits { connections = 300 }"
	if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		places, limit = 10_000, ""
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir)
		defer w.end()
		w.house("sina", "192.0.2.2", strings.ReplaceAll(`
			hostname = "mx.sina.com"
			data     = "DIR/sina"
			listen "smtp" {
			  address = "192.0.2.2:25"
			  policy  = "off"
			}
			domain "sina.com" {
				mailboxes = "bob"
				deliver   = "none"
			}
			route "none" { discard = true }
			`+limit, "\t", ""))
		stop := w.drippers(places, "192.0.2.2:25")
		defer stop()
		for round := range 5 {
			time.Sleep(97 * time.Second)
			long := w.untilServed("192.0.2.2:25")
			t.Logf("round %d: served after %v", round+1, long)
			if long > time.Minute {
				t.Errorf("round %d: it took %v until somebody honest was served", round+1, long)
			}
		}
		if n := w.count([]string{"accepted", "from=<ann@a.example>"}); n != 5 {
			t.Errorf("%d of 5 messages were accepted", n)
		}
		if runtime.NumGoroutine() < places {
			t.Errorf("there are %d goroutines: the drippers are not there", runtime.NumGoroutine())
		}
	})
}

// drippers are a crowd, each from an address of its own.
func (w *world) drippers(many int, to string) (stop func()) {
	var all sync.WaitGroup
	over := make(chan struct{})
	for i := range many {
		host := w.host(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		all.Go(func() {
			time.Sleep(time.Duration(i%1000) * 7 * time.Millisecond) // they do not come at one instant
			for w.dripOnce(host, to, over) {
			}
		})
	}
	return func() {
		close(over)
		all.Wait()
	}
}

// dripOnce is one connection of a dripper. false: it is over.
func (w *world) dripOnce(host *simnet.Host, to string, over chan struct{}) bool {
	conn, err := host.Dial(w.Context(), anyAddr, "tcp", to)
	if err != nil {
		return false
	}
	defer conn.Close()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	defer func() { _ = conn.Close(); <-gone }()
	for {
		if _, err := io.WriteString(conn, "N"); err != nil {
			return true
		}
		wait := time.NewTimer(20 * time.Second)
		select {
		case <-over:
			wait.Stop()
			return false
		case <-gone:
			wait.Stop()
			return !w.rest(time.Second, over)
		case <-wait.C:
		}
	}
}

// rest waits, and reports whether all is over.
func (w *world) rest(d time.Duration, over chan struct{}) bool {
	select {
	case <-over:
		return true
	case <-time.After(d):
		return false
	}
}

// untilServed is how long somebody honest, who tries every five seconds, takes to be rid of
// a message.
func (w *world) untilServed(to string) time.Duration {
	w.Helper()
	began := time.Now()
	for tries := 0; tries < 60; tries++ {
		if serves(w.dial("", to)) {
			break
		}
		time.Sleep(5 * time.Second)
	}
	return time.Since(began)
}

// serves reports whether a server takes a message.
func serves(conn net.Conn) bool {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(conn)
	for _, say := range []string{"", "HELO a.example", "MAIL FROM:<ann@a.example>", "RCPT TO:<bob@sina.com>", "DATA", "Subject: honest\r\n\r\n.", "QUIT"} {
		if say != "" {
			if _, err := io.WriteString(conn, say+"\r\n"); err != nil {
				return false
			}
		}
		line, err := r.ReadString('\n')
		if err != nil || line[0] > '3' {
			return false
		}
	}
	return true
}
