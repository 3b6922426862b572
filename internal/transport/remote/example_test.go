package remote_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// A desk plans a hop once, keeps the plan until its time is over, and delivers by
// it. In a program the resolver is a dnsclient.Client, and Dial and Policy are left
// out or come from the World.
func Example() {
	peer := &transporttest.Peer{Replies: map[string]string{"RCPT TO:<tom@sina.com>": "550 5.1.1 no such user\r\n"}}
	tr := &remote.Transport{
		Resolver:  dnstest.New(new(testing.T), "sina.com MX 10 mx.sina.com\nmx.sina.com A 192.0.2.1"),
		LocalName: "sohu.com",
		Dial:      func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) { return peer.Dial(ctx) },
		Policy:    func(string) (smtpclient.TLSPolicy, *tls.Config) { return smtpclient.TLSNever, nil },
	}
	ctx := context.Background()
	defer func() { _ = tr.Close(ctx) }()

	hop := mail.Hop{Route: "default", Transport: "remote", Destination: "sina.com"}
	plan := tr.Plan(ctx, hop)
	fmt.Println(plan.Site, plan.Hosts[0].Name, plan.Hosts[0].Preference, plan.Hosts[0].Addrs, plan.Hosts[0].TLS)

	from, _ := smtp.ParseMailbox("lily@sohu.com")
	rose, _ := smtp.ParseMailbox("rose@sina.com")
	tom, _ := smtp.ParseMailbox("tom@sina.com")
	outcomes := tr.Deliver(ctx, transport.Delivery{
		Envelope:   &mail.Envelope{From: from, To: []mail.Recipient{{To: rose}, {To: tom}}},
		Recipients: []int{0, 1},
		Content:    &transporttest.Text{Octets: "Subject: hello\r\n\r\nRose!\r\n"},
		Hop:        hop,
		Plan:       &plan,
	})
	for _, o := range outcomes {
		fmt.Println(o.Recipient, o.Fate, o.Stage, o.Reply, o.Host)
	}
	// Output:
	// sina.com mx.sina.com 10 [192.0.2.1:25] never
	// 0 relayed . 250 2.0.0 queued mx.sina.com
	// 1 failed RCPT 550 5.1.1 no such user mx.sina.com
}

func BenchmarkDeliver(b *testing.B) {
	n := &network{peers: map[string]*transporttest.Peer{"192.0.2.1": {Offers: []string{"PIPELINING", "8BITMIME"}}}}
	var t testing.T
	tr := &remote.Transport{Resolver: dnstest.New(&t, oneHost), LocalName: "client.test", Dial: n.dial, MaxMessages: 1 << 30}
	defer func() { _ = tr.Close(context.Background()) }()
	d := transporttest.Delivery(transporttest.Envelope(b, "x@b.test"), transporttest.Hello, to("b.test"))
	plan := tr.Plan(context.Background(), d.Hop)
	d.Plan = &plan
	d.Envelope.Body = smtp.Body7Bit
	b.ReportAllocs()
	for b.Loop() {
		if o := tr.Deliver(context.Background(), d); o[0].Fate != mail.Relayed {
			b.Fatal(transporttest.Tell(o))
		}
	}
}
