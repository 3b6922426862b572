package remote_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/transport/remote"
)

// sink starts Postfix's smtp-sink with options, and returns its port. It ends with
// the test.
func sink(t *testing.T, options ...string) uint16 {
	t.Helper()
	path, err := exec.LookPath("smtp-sink")
	if err != nil {
		path = "/usr/sbin/smtp-sink" // not on the path of everybody
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
			t.Fatalf("Postfix's smtp-sink is not here, and POSTHOUSE_TEST_ALL is set: %v", err)
		}
		t.Skipf("Postfix's smtp-sink is not here: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	if os.Getuid() == 0 {
		options = append([]string{"-u", "nobody"}, options...) // it insists
	}
	ctx, cancel := context.WithCancel(t.Context())
	p := exec.CommandContext(ctx, path, append(options, addr, "20")...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = p.Wait() })
	for range 100 {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			_, port, _ := strings.Cut(addr, ":")
			n, _ := strconv.Atoi(port)
			return uint16(n)
		}
		<-time.After(20 * time.Millisecond)
	}
	t.Fatal("smtp-sink does not listen")
	return 0
}

// TestSink: Postfix's sink as the next hop: as it is, and with faults.
func TestSink(t *testing.T) {
	for _, c := range []struct {
		options []string
		want    string
	}{
		{nil, "relayed 250 2.0.0 Ok, at ."},
		{[]string{"-8", "-e"}, "relayed 250 2.0.0 Ok, at ."},
		{[]string{"-p"}, "relayed 250 2.0.0 Ok, at ."},
		{[]string{"-f", "rcpt"}, "failed 500 5.3.0 Error: command failed, at RCPT"},
		{[]string{"-f", "."}, "failed 500 5.3.0 Error: command failed, at ."},
		{[]string{"-r", "mail"}, "deferred 450 4.3.0 Error: command failed, at MAIL"},
		{[]string{"-q", "."}, "unsure"},
		{[]string{"-q", "data"}, "deferred 451 4.4.2 DATA"},
	} {
		t.Run(strings.Join(c.options, " "), func(t *testing.T) {
			tr := &remote.Transport{
				Resolver: dnstest.New(t, "localhost A 127.0.0.1"), LocalName: "client.test", Smarthost: true, Port: sink(t, c.options...),
			}
			var wait sync.WaitGroup
			for range 4 {
				wait.Go(func() {
					for i := range 25 {
						if got := send(t, tr, to("localhost"), fmt.Sprintf("a%d@b.test", i), "b@b.test"); strings.Count(got, c.want) != 2 {
							t.Errorf("%s", got)
							return
						}
					}
				})
			}
			wait.Wait()
			if err := tr.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
