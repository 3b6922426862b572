package directorytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
)

// Slapd is OpenLDAP's server, at a socket, as a plain process of the test.
type Slapd struct {
	Socket string
	Keys   tls.Certificate // of ldap.example.org
	Roots  *x509.CertPool
}

// What is in the server.
const (
	SlapdPeople   = "ou=people,dc=example,dc=org"
	SlapdAdmin    = "cn=admin,dc=example,dc=org"
	SlapdPassword = "admin-canary" // of the admin
)

// StartSlapd runs a server with users, whose names are in mail and, as far as the @, in
// uid. The test is skipped if there is none.
func StartSlapd(t *testing.T, users []User) *Slapd {
	t.Helper()
	server, add := program(t, "slapd"), program(t, "slapadd")
	dir, err := os.MkdirTemp("", "slapd") // the name of a socket must be short
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	s := &Slapd{Socket: filepath.Join(dir, "ldapi")}
	s.makeKeys(t, dir)
	write(t, filepath.Join(dir, "conf"), strings.ReplaceAll(`
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile DIR/pid
TLSCertificateFile DIR/cert.pem
TLSCertificateKeyFile DIR/key.pem
database mdb
suffix "dc=example,dc=org"
rootdn "`+SlapdAdmin+`"
rootpw `+SlapdPassword+`
directory DIR/db
access to attrs=userPassword by anonymous auth by * none
access to * by * read
`, "DIR", dir))
	write(t, filepath.Join(dir, "ldif"), entries(users))
	if out, err := exec.Command(add, "-f", filepath.Join(dir, "conf"), "-l", filepath.Join(dir, "ldif")).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	cmd := exec.Command(server, "-d", "0", "-f", filepath.Join(dir, "conf"), "-h", "ldapi://"+strings.ReplaceAll(s.Socket, "/", "%2f"))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	guard := time.Now().Add(time.Minute)
	for {
		conn, err := net.Dial("unix", s.Socket)
		if err == nil {
			conn.Close()
			return s
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("slapd: %v\n%s", err, said.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(guard) {
			t.Fatal(err)
		}
	}
}

func program(t *testing.T, name string) string {
	t.Helper()
	for _, at := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(at); err == nil {
			return path
		}
	}
	if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		t.Fatalf("%s (Debian: slapd) is not here, and POSTHOUSE_TEST_ALL is set", name)
	}
	t.Skipf("%s (Debian: slapd) is not here", name)
	return ""
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(text), 0o600))
}

// entries are those of users: the uid is what is in front of the @.
func entries(users []User) string {
	var b strings.Builder
	b.WriteString("dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n")
	b.WriteString("dn: " + SlapdPeople + "\nobjectClass: organizationalUnit\nou: people\n\n")
	for _, u := range append(users, User{Name: "twin@example.org", Password: "x"}, User{Name: "twin@example.net", Password: "x"}) {
		uid, domain := directory.SplitName(u.Name)
		fmt.Fprintf(&b, "dn: uid=%s+mail=%s,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: x\nsn: x\nmail: %s\nmail: also-%s@%s\nuserPassword:: %s\n\n",
			uid, u.Name, SlapdPeople, uid, u.Name, uid, domain, base64.StdEncoding.EncodeToString([]byte(u.Password)))
	}
	return b.String()
}

func (s *Slapd) makeKeys(t *testing.T, dir string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	is := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"ldap.example.org"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, is, is, key.Public(), key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	chain, private := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	write(t, filepath.Join(dir, "cert.pem"), string(chain))
	write(t, filepath.Join(dir, "key.pem"), string(private))
	s.Keys, err = tls.X509KeyPair(chain, private)
	must(t, err)
	s.Roots = x509.NewCertPool()
	s.Roots.AppendCertsFromPEM(chain)
}

// At is a port that leads to the socket: with TLS in front of it, or not.
func (s *Slapd) At(t *testing.T, config *tls.Config) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.join(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

func (s *Slapd) join(conn net.Conn) {
	defer conn.Close()
	behind, err := net.Dial("unix", s.Socket)
	if err != nil {
		return
	}
	defer behind.Close()
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(behind, conn); behind.Close() }()
	_, _ = io.Copy(conn, behind)
	conn.Close()
	<-done
}
