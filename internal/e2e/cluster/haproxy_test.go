package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/pgtest"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// TestBehindHAProxy: with the configuration of deploy/cluster in front, clients know one address.
// A node that drains, and one that is killed, are passed by.
func TestBehindHAProxy(t *testing.T) {
	long(t)
	c := &cluster{T: t, ledger: newLedger(), primary: newDatabase(t, false)}
	defer c.logs()
	c.host = newHost(t, c.ledger)
	c.address = pgtest.Address(named, c.primary)
	for i := range 3 {
		n := newNode(t, fmt.Sprint("mx", i+1), c.address, c.host.at, "durability = \"primary\"\n")
		n.hearsProxies(t)
		if i == 0 {
			n.says(t, "spool", "migrate")
		}
		n.run(t)
		c.nodes = append(c.nodes, n)
	}
	front := haproxy(t, c.nodes)
	c.open(&node{at: front})
	l := c.load(6)
	l.until(t, 100)

	c.nodes[0].says(t, "cluster", "drain", "mx2", "--wait")
	l.until(t, 100)
	c.nodes[2].kill()
	l.until(t, 100)
	c.nodes[0].says(t, "cluster", "drain", "mx2", "--undo")
	pgtest.Wait(t, "mx2 works again", func() bool { return c.status(c.nodes[0])["mx2"].State == admin.NodeWorking })
	c.nodes[0].kill()
	l.until(t, 100)
	l.end()
	c.ledger.settle(t, c.address)
}

// hearsProxies has a node believe programs of this machine whose connection they bring.
func (n *node) hearsProxies(t *testing.T) {
	t.Helper()
	name := filepath.Join(n.dir, n.conf)
	text, err := os.ReadFile(name)
	check(t, err)
	const at = "address = [\"127.0.0.1:0\"]\n"
	check(t, os.WriteFile(name, []byte(strings.Replace(string(text), at, at+"  proxy_from = [\"127.0.0.0/8\"]\n", 1)), 0o644))
}

// haproxy starts one before the nodes, and returns where it listens once it lets clients through.
func haproxy(t *testing.T, nodes []*node) string {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/haproxy")
	if err != nil {
		if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
			t.Fatal("HAProxy (Debian: haproxy) is not here, and POSTHOUSE_TEST_ALL is set")
		}
		t.Skip("HAProxy (Debian: haproxy) is not here")
	}
	text, err := os.ReadFile("../../../deploy/cluster/haproxy.cfg")
	check(t, err)
	front := fmt.Sprint("127.0.0.1:", pgtest.FreePort(t))
	conf := strings.NewReplacer("bind :25", "bind "+front, "maxconn 20000", "maxconn 500").Replace(string(text)) // few files may be open here
	for i, n := range nodes {
		conf = regexp.MustCompile(fmt.Sprintf(`\bmx%d:2525`, i+1)).ReplaceAllString(conf, n.at)
	}
	name := filepath.Join(t.TempDir(), "haproxy.cfg")
	check(t, os.WriteFile(name, []byte(conf), 0o600))
	var said logbook
	cmd := exec.Command(program, "-db", "-f", name)
	cmd.Stdout, cmd.Stderr = &said, &said
	check(t, cmd.Start())
	over := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it says by what it was ended
		close(over)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-over
		if t.Failed() {
			t.Logf("HAProxy said:\n%s", &said)
		}
	})
	d := smtpclient.Dialer{LocalName: "client.test", TLS: smtpclient.TLSNever}
	pgtest.Wait(t, "HAProxy lets clients through", func() bool {
		select {
		case <-over:
			t.Fatalf("HAProxy ended:\n%s", &said)
		default:
		}
		conn, err := d.Dial(t.Context(), "tcp", front)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return front
}
