package remote_test

import (
	"net"
	"slices"
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// TestCarries: it is told by which connection each message was to go: also by one that is
// used again, and by one whose host did not get as far as taking any.
func TestCarries(t *testing.T) {
	const zone = "b.test MX 10 mx.b.test\nmx.b.test A 192.0.2.1\nbusy.test MX 10 mx.busy.test\nmx.busy.test A 192.0.2.2"
	busy := &transporttest.Peer{Replies: map[string]string{"CONNECT": "421 4.3.2 Busy\r\n"}}
	n := &network{peers: map[string]*transporttest.Peer{"192.0.2.1": {}, "192.0.2.2": busy}}
	in(t, zone, n, func(t *testing.T, tr *remote.Transport) {
		hosts := map[*smtpclient.Trace]string{}
		tr.Trace = func(host string, _ net.Conn) *smtpclient.Trace {
			trace := new(smtpclient.Trace)
			hosts[trace] = host
			return trace
		}
		var told []string
		tr.Carries = func(trace *smtpclient.Trace, id mail.ID) {
			if id == (mail.ID{}) {
				t.Error("a message without ID")
			}
			told = append(told, hosts[trace])
		}
		for _, domain := range []string{"b.test", "b.test", "busy.test"} {
			send(t, tr, to(domain), "x@"+domain)
		}
		if want := []string{"mx.b.test", "mx.b.test", "mx.busy.test"}; !slices.Equal(told, want) || len(hosts) != 2 {
			t.Errorf("told were %q by %d connections, want %q by 2", told, len(hosts), want)
		}
	})
}
