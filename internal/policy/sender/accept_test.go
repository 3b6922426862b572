package sender_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/ratelimit"
	"github.com/posthouse/posthouse/internal/policy/sender"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dkim"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// BenchmarkAccept takes in signed messages of 4 KB, each on a connection of its own, without policy, with all checks
// that there are by default, and with these for a program of this machine, about which they say nothing. The DNS
// answers from memory.
func BenchmarkAccept(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	record, err := senderauth.FormatKey(key.Public())
	if err != nil {
		b.Fatal(err)
	}
	zone := authdns.Resolver{DNS: dnstest.New(b, `
sina.com                   TXT v=spf1 ip4:192.0.2.0/24 -all
_dmarc.sina.com            TXT v=DMARC1; p=reject
7.2.0.192.in-addr.arpa     PTR mx.sina.com.
mx.sina.com                A   192.0.2.7
rsa._domainkey.sina.com    TXT `+record)}
	fields, err := dkim.Sign(strings.NewReader(letter), dkim.Key{Domain: "sina.com", Selector: "rsa", Signer: key})
	if err != nil {
		b.Fatal(err)
	}
	text := string(fields) + letter
	checks := []policy.Check{
		ratelimit.New(ratelimit.Options{}),
		sender.New(sender.Options{
			Resolver: zone, Hostname: "mx.sohu.com", SPF: true, DKIM: true, ARC: true, IPRev: true, DMARC: policy.Reject, DNSFailure: policy.Defer,
		}),
	}
	world, machine := netip.MustParseAddrPort("192.0.2.7:4711"), netip.MustParseAddrPort("127.0.0.1:4711")
	b.Run("without", func(b *testing.B) { accept(b, text, world, nil) })
	b.Run("judged", func(b *testing.B) { accept(b, text, world, checks) })
	b.Run("of-this-machine", func(b *testing.B) { accept(b, text, machine, checks) })
}

// letter is a message of about 4 KB.
var letter = "From: Li Na <li@sina.com>\r\nTo: Zhang Wei <zhang@sohu.com>\r\nSubject: figures\r\n" +
	"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@sina.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" +
	strings.Repeat("How many letters in a second? This many, and some more.\r\n", 70)

// everybody lives here.
type everybody struct{}

func (everybody) Lookup(_ context.Context, to smtp.Path) (directory.Resolution, error) {
	return directory.Resolution{Kind: directory.Mailbox, Address: to, To: []directory.Target{{To: to, Local: true}}}, nil
}

func (everybody) Find(context.Context, string) ([]directory.Resolution, error) { return nil, nil }

func accept(b *testing.B, text string, client netip.AddrPort, checks []policy.Check) {
	engine, err := pebblespool.Open(b.TempDir(), pebblespool.Options{MinFree: -1, Ballast: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	o := intake.Options{Hostname: "mx.sohu.com", Spool: engine, Directory: everybody{}}
	if checks != nil {
		o.Policy = map[string]*policy.Panel{"mx": {Hostname: "mx.sohu.com", Checks: checks}}
	}
	server := &smtpserver.Server{Handler: intake.New(o).Listener("mx"), Hostname: "mx.sohu.com", Offer: intake.Offers}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(elsewhere{l, client}) }()
	began := used(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := bring(l.Addr().String(), text); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(used(b)-began)/float64(b.N), "cpu-ns/op")
	_ = server.Close()
	if err := <-served; !errors.Is(err, smtpserver.ErrServerClosed) {
		b.Error(err)
	}
}

// elsewhere has clients come from another address.
type elsewhere struct {
	net.Listener
	client netip.AddrPort
}

func (l elsewhere) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return distant{c, l.client}, err
}

type distant struct {
	net.Conn
	client netip.AddrPort
}

func (d distant) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(d.client) }

// bring brings one message, in four writes.
func bring(address, text string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	r := textproto.NewReader(bufio.NewReader(conn))
	for _, step := range []struct {
		say     string
		replies int
	}{
		{"", 1},
		{"EHLO mx.sina.com\r\n", 1},
		{"MAIL FROM:<li@sina.com>\r\nRCPT TO:<zhang@sohu.com>\r\nDATA\r\n", 3},
		{text + ".\r\nQUIT\r\n", 2},
	} {
		if _, err := io.WriteString(conn, step.say); err != nil {
			return err
		}
		for range step.replies {
			if code, said, err := r.ReadResponse(0); err != nil || code >= 400 {
				return fmt.Errorf("%d %s %w", code, strings.TrimSpace(said), err)
			}
		}
	}
	return nil
}

// used is the CPU time of this process: the clock would tell of others too.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
