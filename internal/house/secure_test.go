package house

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// lighthouse is a house that asks the hosts of strangers for as much TLS as they say that they have.
const lighthouse = `
hostname = "mx.a.test"
data     = "/nowhere"
postmaster = "postmaster@peer0.test"
retry    = "5m"
expire   = "2d"
warn     = "1d"
listen "smtp" {
  address = "192.0.2.1:25"
  tls     = "off"
}
relay { networks = "198.51.100.0/24" }
domain "a.test" { mailboxes = "ann" }
route "default" { remote = true }
`

// harbour is the world of a house and one host of strangers, who have certificates.
type harbour struct {
	*Town
	house  *House
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	peer   *Peer
	host   *simnet.Host
	stop   func() // ends what the peer offers now
	client *client
	sent   int
}

func newHarbour(t testing.TB) *harbour {
	h := &harbour{Town: &Town{World: NewWorld(t, 1, simnet.Weather{Latency: 5 * time.Millisecond})}}
	h.key = mustOne(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := mustOne(x509.CreateCertificate(rand.Reader, template, template, h.key.Public(), h.key))
	h.ca = mustOne(x509.ParseCertificate(der))
	h.Roots = x509.NewCertPool()
	h.Roots.AddCert(h.ca)
	h.Peer("peer0.test", "192.0.2.100", Manners{})
	h.announce("sina.test", "192.0.2.101")
	h.host = h.Net.Host("sina.test", "192.0.2.101")
	h.peer = &Peer{Name: "mx.sina.test", Ledger: h.Ledger, Account: h.Account}
	h.house = h.House("a.test", "192.0.2.1", lighthouse, nil)
	h.Houses = []*House{h.house}
	h.client = h.World.client("client", "198.51.100.10", "a.test", "192.0.2.1:25")
	return h
}

func mustOne[T any](v T, err error) T {
	if err != nil {
		panic(err) // no test can go on without it
	}
	return v
}

// certificate is one for a name, by the authority in which everybody trusts.
func (h *harbour) certificate(name string) *tls.Config {
	key := mustOne(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 6, 0), DNSNames: []string{name},
	}
	der := mustOne(x509.CreateCertificate(rand.Reader, template, h.ca, key.Public(), h.key))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// pin is the TLSA record for a certificate.
func pin(c *tls.Config) string {
	leaf := mustOne(x509.ParseCertificate(c.Certificates[0].Certificate[0]))
	return fmt.Sprintf("3 1 1 %x", sha256.Sum256(leaf.RawSubjectPublicKeyInfo))
}

// offer has the host of sina.test answer from now on with a certificate, or without STARTTLS.
func (h *harbour) offer(c *tls.Config) {
	if h.stop != nil {
		h.stop()
	}
	h.peer.Server = smtpserver.Server{TLS: c}
	stop, err := h.peer.Serve(h.Context(), h.host, ":25")
	if err != nil {
		h.Fatal(err)
	}
	h.stop = stop
}

// zone adds to what the DNS says, authentic.
func (h *harbour) zone(lines ...string) {
	for _, line := range lines {
		name, _, _ := strings.Cut(line, " ")
		if err := h.Zone.Add(line + "\n" + name + " AD"); err != nil {
			h.Fatal(err)
		}
	}
}

// web serves a policy for MTA-STS.
func (h *harbour) web(text string) {
	h.zone("sina.test A 192.0.2.101", "mta-sts.sina.test A 192.0.2.102", `_mta-sts.sina.test TXT "v=STSv1; id=1"`)
	l, err := h.Net.Host("web", "192.0.2.102").Listen(h.Context(), "tcp", ":443")
	if err != nil {
		h.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, text) // who does not read it has no policy
	})}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = s.Serve(tls.NewListener(l, h.certificate("mta-sts.sina.test"))) // it ends when it is closed
	}()
	h.ends = append(h.ends, func() { _ = s.Close(); <-over })
}

// letter sends one to sina.test, and lets so much time pass.
func (h *harbour) letter(head string, wait time.Duration) (key string) {
	h.sent++
	key = fmt.Sprint(h.sent)
	defer h.client.hangUp()
	text := Letter(key, 300)
	if head != "" {
		text = strings.Replace(text, "\r\nSubject:", "\r\n"+head+"\r\nSubject:", 1)
	}
	h.Ledger.Send(text)
	m := Mail{Key: key, From: path("ann@peer0.test")}
	to := recipients("bob@sina.test")
	h.Ledger.Wish(key, "bob@sina.test", smtp.Notify(0))
	if left := h.client.try(&m, text, to); len(left) > 0 {
		h.Fatal("the house did not take the letter")
	}
	time.Sleep(wait)
	synctest.Wait()
	return key
}

// has says whether a letter is where it was sent to, and complains if that is not so.
func (h *harbour) has(key string, want int) {
	h.Helper()
	if n := h.Ledger.Copies(key, "bob@sina.test"); n != want {
		h.Errorf("letter %s: sina.test has %d copies, want %d", key, n, want)
	}
}

// close holds that everything has come to its end, and the account, and ends the world.
func (h *harbour) close() {
	if n := h.house.Left(); n > 0 {
		h.Errorf("%d messages wait still", n)
	}
	h.Account.Audit(h.house)
	h.Account.Close()
	for _, c := range append(h.Account.Complaints(), h.Ledger.Complaints(h.arrives)...) {
		h.Error(c)
	}
	if h.stop != nil {
		h.stop()
	}
	h.End()
	synctest.Wait()
}

// TestNobodyTakesTLSAway: a host that has said, in one way or another, that mail to it is to be
// encrypted for it, is asked for that from then on. While somebody on the road takes STARTTLS away,
// forges the DNS or has another certificate, mail waits, and no octet of it is sent. It arrives once
// when the road is as it was.
func TestNobodyTakesTLSAway(t *testing.T) {
	for _, c := range downgrades {
		t.Run(c.name, func(t *testing.T) {
			var first string
			for range 2 { // with one sum of the story, though keys and hellos are chance
				synctest.Test(t, func(t *testing.T) {
					cryptotest.SetGlobalRandom(t, 1)
					h := newHarbour(t)
					c.play(h)
					h.close()
					if first == "" {
						first = h.Hash()
					} else if again := h.Hash(); again != first {
						t.Errorf("the same story has the sums %s and %s", first, again)
					}
					t.Log(h.Hash())
					if t.Failed() {
						t.Log("\n" + h.Story())
					}
				})
			}
		})
	}
}

var downgrades = []struct {
	name string
	play func(h *harbour)
}{
	{"a good certificate is remembered", func(h *harbour) {
		good := h.certificate("mx.sina.test")
		h.offer(good)
		h.has(h.letter("", time.Minute), 1)
		h.offer(nil)
		stripped := h.letter("", time.Hour)
		h.has(stripped, 0)
		h.offer(h.certificate("mx.eve.test"))
		time.Sleep(time.Hour)
		h.has(stripped, 0)
		h.offer(good)
		time.Sleep(time.Hour)
		h.has(stripped, 1)
	}},
	{"TLSA records ask for their key", func(h *harbour) {
		good := h.certificate("whatever.test") // DANE does not ask for names
		h.zone("sina.test MX 10 mx.sina.test", "mx.sina.test A 192.0.2.101", "_25._tcp.mx.sina.test TLSA "+pin(good))
		h.offer(good)
		h.has(h.letter("", time.Minute), 1)
		h.offer(nil)
		stripped := h.letter("", time.Hour)
		h.has(stripped, 0)
		h.offer(h.certificate("mx.sina.test")) // of a good authority, and another key
		time.Sleep(time.Hour)
		h.has(stripped, 0)
		h.offer(good)
		time.Sleep(time.Hour)
		h.has(stripped, 1)
	}},
	{"forged TLSA records make mail wait", func(h *harbour) {
		good := h.certificate("mx.sina.test")
		h.zone("sina.test MX 10 mx.sina.test", "mx.sina.test A 192.0.2.101", "_25._tcp.mx.sina.test TLSA !bogus")
		h.offer(good)
		forged := h.letter("", time.Hour)
		h.has(forged, 0)
		h.Zone.Drop("_25._tcp.mx.sina.test")
		h.zone("_25._tcp.mx.sina.test TLSA " + pin(good))
		time.Sleep(time.Hour)
		h.has(forged, 1)
	}},
	{"a policy of MTA-STS asks for its name", func(h *harbour) {
		h.web("version: STSv1\r\nmode: enforce\r\nmx: mx.sina.test\r\nmax_age: 604800\r\n")
		h.offer(h.certificate("mx.eve.test"))
		wrong := h.letter("", time.Hour)
		h.has(wrong, 0)
		h.offer(nil)
		time.Sleep(time.Hour)
		h.has(wrong, 0)
		h.Zone.Drop("_mta-sts.sina.test") // who hides the policy does not end it
		time.Sleep(time.Hour)
		h.has(wrong, 0)
		h.offer(h.certificate("mx.sina.test"))
		time.Sleep(time.Hour)
		h.has(wrong, 1)
	}},
	{"who says TLS-Required: No wants his mail to arrive", func(h *harbour) {
		h.web("version: STSv1\r\nmode: enforce\r\nmx: mx.sina.test\r\nmax_age: 604800\r\n")
		h.offer(h.certificate("mx.eve.test"))
		wrong := h.letter("", time.Minute)
		h.has(wrong, 0)
		h.has(h.letter("TLS-Required: No", time.Hour), 1)
		h.has(wrong, 0)
		h.offer(h.certificate("mx.sina.test"))
		time.Sleep(time.Hour)
		h.has(wrong, 1)
	}},
}

// recipients are addresses with no wishes.
func recipients(addresses ...string) (all []smtpclient.Recipient) {
	for _, a := range addresses {
		all = append(all, smtpclient.Recipient{Path: path(a)})
	}
	return all
}
