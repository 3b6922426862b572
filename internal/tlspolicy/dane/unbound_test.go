package dane_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/dns/dnsclient"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/dane"
	"github.com/posthouse/posthouse/internal/tlspolicy/tlspolicytest"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

// program finds one that is not on everybody's path.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		t.Fatalf("%s is not here, and POSTHOUSE_TEST_ALL is set", name)
	}
	t.Skipf("%s is not here", name)
	return ""
}

// lab is Unbound, which validates, with zones that ldns has signed, and one mail host for all of them.
type lab struct {
	dir    string
	server netip.AddrPort // Unbound
	port   uint16         // the mail host, at 127.0.0.1
}

// zones are what is in the lab: TLSA data of each, and whether it is signed and then
// changed. {key} is the digest of the key of the mail host.
var zones = []struct {
	domain, tlsa string
	signed       bool
	changed      bool
	want         string // of a delivery
	postfix      string // the word of posttls-finger
}{
	{"good.example", "3 1 1 {key}", true, false, "relayed 250 2.0.0 queued, at ., TLS 1.3 TLS_AES_128_GCM_SHA256, verified", "Verified"},
	{"other.example", "3 1 1 " + strings.Repeat("00", 32), true, false, "deferred 451 4.7.5 STARTTLS: TLS handshake: DANE: the certificate fits none", "Untrusted"},
	{"none.example", "", true, false, "relayed 250 2.0.0 queued, at ., TLS 1.3 TLS_AES_128_GCM_SHA256, not verified", "Untrusted"},
	{"unsigned.example", "3 1 1 " + strings.Repeat("00", 32), false, false, "relayed 250 2.0.0 queued, at ., TLS 1.3 TLS_AES_128_GCM_SHA256, not verified", "Untrusted"},
	{"forged.example", "3 1 1 " + strings.Repeat("ab", 32), true, true, "deferred 451 4.7.5 DANE: TLSA", ""},
}

func newLab(t *testing.T) *lab {
	t.Helper()
	for _, name := range []string{"unbound", "ldns-keygen", "ldns-signzone"} {
		program(t, name)
	}
	cert, key := certificate(t, "anything.example", nil, nil, time.Hour)
	l := &lab{dir: t.TempDir(), port: mailHost(t, cert, key)}
	conf := "server:\n"
	for _, z := range zones {
		digest := fmt.Sprintf("%x", sha256.Sum256(cert.RawSubjectPublicKeyInfo))
		file, anchor := l.sign(t, z.domain, strings.ReplaceAll(z.tlsa, "{key}", digest), z.signed, z.changed)
		if anchor != "" {
			conf += "  trust-anchor: \"" + anchor + "\"\n"
		}
		conf = "auth-zone:\n  name: " + z.domain + "\n  zonefile: " + file + "\n  for-downstream: no\n  for-upstream: yes\n  fallback-enabled: no\n" + conf
	}
	l.start(t, conf)
	return l
}

// sign makes a zone, and returns its file and the anchor for it.
func (l *lab) sign(t *testing.T, domain, tlsa string, signed, changed bool) (file, anchor string) {
	t.Helper()
	text := fmt.Sprintf("%[1]s. 300 IN SOA ns.%[1]s. x.%[1]s. 1 300 300 300000 300\n%[1]s. 300 IN NS ns.%[1]s.\nns.%[1]s. 300 IN A 127.0.0.1\n"+
		"%[1]s. 300 IN MX 10 mx.%[1]s.\nmx.%[1]s. 300 IN A 127.0.0.1\n", domain)
	if tlsa != "" {
		text += fmt.Sprintf("_%d._tcp.mx.%s. 300 IN TLSA %s\n", l.port, domain, tlsa)
	}
	file = filepath.Join(l.dir, domain)
	write(t, file, text)
	if !signed {
		return file, ""
	}
	base := strings.TrimSpace(l.run(t, "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", domain))
	l.run(t, "ldns-signzone", "-f", file, file, base)
	if changed { // somebody on the way puts in his own
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, strings.ReplaceAll(string(b), strings.Repeat("ab", 32), strings.Repeat("cd", 32)))
	}
	ds, err := os.ReadFile(filepath.Join(l.dir, base+".ds"))
	if err != nil {
		t.Fatal(err)
	}
	return file, strings.Join(strings.Fields(string(ds)), " ")
}

func (l *lab) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = l.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start runs Unbound until the test ends, at an address that nobody else has, so that
// nobody else takes its ports either. For root that is port 53: Postfix asks nowhere else.
func (l *lab) start(t *testing.T, conf string) {
	t.Helper()
	port := uint16(5300)
	if os.Getuid() == 0 {
		port = 53
	}
	l.server = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(254)), byte(rand.IntN(256)), byte(1 + rand.IntN(254))}), port)
	at := fmt.Sprintf("  interface: %s@%d\n", l.server.Addr(), port)
	file := filepath.Join(l.dir, "unbound.conf")
	write(t, file, conf+at+`  access-control: 127.0.0.0/8 allow
  chroot: ""
  username: ""
  directory: "`+l.dir+`"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  do-ip6: no
  ede: yes
  module-config: "validator iterator"
remote-control:
  control-enable: no
`)
	ctx, cancel := context.WithCancel(t.Context())
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program(t, "unbound"), "-d", "-c", file)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	name := tlspolicytest.Name(t, "good.example")
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		if a, err := l.client().MX(t.Context(), name); err == nil && a.Authenticated {
			return
		}
	}
	t.Fatal("Unbound does not answer")
}

func (l *lab) client() *dnsclient.Client {
	return &dnsclient.Client{Servers: []netip.AddrPort{l.server}, Timeout: 2 * time.Second, Attempts: 1}
}

// mailHost takes mail over STARTTLS on a port of this machine.
func mailHost(t *testing.T, cert *x509.Certificate, key *ecdsa.PrivateKey) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go takeMail(conn, config)
		}
	}()
	return netip.MustParseAddrPort(listener.Addr().String()).Port()
}

func takeMail(conn net.Conn, config *tls.Config) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	answers := map[string]string{"DATA": "354 go on", ".": "250 2.0.0 queued", "STARTTLS": "220 go", "EHLO": "250-mx\r\n250 STARTTLS", "QUIT": "221 bye"}
	_, _ = io.WriteString(conn, "220 mx\r\n")
	for text := false; ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if text && word != "." {
			continue
		}
		answer, ok := answers[word]
		if !ok {
			answer = "250 ok"
		}
		_, _ = io.WriteString(conn, answer+"\r\n")
		text = word == "DATA"
		if word == "STARTTLS" {
			conn = tls.Server(conn, config)
			r = bufio.NewReader(conn)
			answers["EHLO"] = "250 mx"
		}
	}
}

// TestUnbound: a resolver that validates real signatures, and mail to hosts whose
// records are in order, of another key, missing, not signed, and forged.
func TestUnbound(t *testing.T) {
	l := newLab(t)
	resolver := l.client()
	for _, z := range zones {
		t.Run(z.domain, func(t *testing.T) {
			tr := &remote.Transport{
				Resolver: resolver, LocalName: "client.example", Port: l.port, AllowLoopback: true,
				Judge: &dane.Source{Resolver: resolver},
			}
			d := transporttest.Delivery(transporttest.Envelope(t, "x@"+z.domain), transporttest.Hello, mail.Hop{Destination: z.domain})
			outcomes := tr.Deliver(t.Context(), d)
			transporttest.Check(t, d, outcomes)
			if got := transporttest.TellOne(&outcomes[0]); !strings.Contains(got, z.want) {
				t.Errorf("got  %s\nwant %s", got, z.want)
			}
			if err := tr.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("posttls-finger", func(t *testing.T) { l.postfix(t) })
}

// postfix has Postfix judge the same hosts. It asks the resolver of the system, so that it
// needs a file system in which that is ours.
func (l *lab) postfix(t *testing.T) {
	finger := program(t, "posttls-finger")
	if os.Getuid() != 0 || exec.Command("unshare", "-m", "true").Run() != nil {
		t.Skip("only root can give Postfix another resolv.conf")
	}
	write(t, filepath.Join(l.dir, "resolv.conf"), "nameserver "+l.server.Addr().String()+"\noptions trust-ad timeout:2 attempts:1\n")
	write(t, filepath.Join(l.dir, "main.cf"), "compatibility_level = 3.6\n")
	words := regexp.MustCompile(`(\w+) TLS connection established`)
	for _, z := range zones {
		script := fmt.Sprintf("mount --bind %s/resolv.conf /etc/resolv.conf && exec %s -t 5 -T 5 -l dane -L summary %s:%d", l.dir, finger, z.domain, l.port)
		cmd := exec.Command("unshare", "-m", "sh", "-c", script)
		cmd.Env = append(os.Environ(), "MAIL_CONFIG="+l.dir)
		out, _ := cmd.CombinedOutput() // the status says less than the words
		got := ""
		if m := words.FindSubmatch(out); m != nil {
			got = string(m[1])
		}
		if got != z.postfix {
			t.Errorf("%s: Postfix says %q, want %q\n%s", z.domain, got, z.postfix, out)
		}
	}
}

// TestOpenSSL holds our judgement of certificates beside that of OpenSSL's s_client.
func TestOpenSSL(t *testing.T) {
	openssl := program(t, "openssl")
	cert, key := certificate(t, "mx.b.test", nil, nil, time.Hour)
	port := mailHost(t, cert, key)
	hex := func(sum [32]byte) string { return fmt.Sprintf("%x", sum) }
	for _, record := range []string{
		"3 1 1 " + hex(sha256.Sum256(cert.RawSubjectPublicKeyInfo)),
		"3 0 1 " + hex(sha256.Sum256(cert.Raw)),
		fmt.Sprintf("3 0 0 %x", cert.Raw),
		fmt.Sprintf("3 1 0 %x", cert.RawSubjectPublicKeyInfo),
		"2 0 1 " + hex(sha256.Sum256(cert.Raw)),
		"3 1 1 " + strings.Repeat("00", 32),
		"3 0 1 " + hex(sha256.Sum256(cert.RawSubjectPublicKeyInfo)),
		"2 1 1 " + strings.Repeat("00", 32),
	} {
		cmd := exec.Command(openssl, "s_client", "-starttls", "smtp", "-connect", "127.0.0.1:"+strconv.Itoa(int(port)),
			"-dane_tlsa_domain", "mx.b.test", "-dane_tlsa_rrdata", record, "-verify_return_error", "-brief")
		cmd.Stdin = strings.NewReader("QUIT\r\n")
		out, err := cmd.CombinedOutput()
		theirs := err == nil && strings.Contains(string(out), "Verification: OK")
		ours := judge(t, record, cert)
		if (ours == nil) != theirs {
			t.Errorf("%.40s: we say %v, OpenSSL says\n%s", record, ours, out)
		}
	}
}

// judge is our judgement of a certificate by one record.
func judge(t *testing.T, record string, cert *x509.Certificate) error {
	t.Helper()
	d, err := (&dane.Source{Resolver: dnstest.New(t, "_25._tcp.mx.b.test AD\n_25._tcp.mx.b.test TLSA "+record)}).Demand(t.Context(), tlspolicytest.Query(t, "b.test", "mx.b.test"))
	if err != nil || d.Level != tlspolicy.Verified {
		t.Fatalf("%s: %+v, %v", record, d, err)
	}
	return d.Verify(tls.ConnectionState{ServerName: "mx.b.test", PeerCertificates: []*x509.Certificate{cert}})
}
