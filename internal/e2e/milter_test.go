package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dkim"
)

// filter is a milter of Debian, with a directory of its own.
type filter struct {
	dir, addr string
	said      logbook
}

// newFilter writes the files that it reads.
func newFilter(t *testing.T, names string) *filter {
	t.Helper()
	f := &filter{dir: unpack(t, "milters").dir, addr: vacant(t)}
	at, port, err := net.SplitHostPort(f.addr)
	check(t, err)
	fill := strings.NewReplacer("@DIR@", f.dir, "@HOST@", at, "@PORT@", port, "@NAMES@", names, "@SOCKET@", "unix:"+filepath.Join(f.dir, "milter.sock"))
	files, err := filepath.Glob(filepath.Join(f.dir, "*.conf"))
	check(t, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		check(t, err)
		write(t, name, fill.Replace(string(text)))
	}
	return f
}

// start runs a program until the test is over.
func (f *filter) start(t *testing.T, argv ...string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = f.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // all that it starts is in its group
	cmd.Stdout, cmd.Stderr = &f.said, &f.said
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", argv[0], lastOf(f.said.String()))
		}
	})
}

// answers waits until it can be reached.
func (f *filter) answers(t *testing.T, network, address string) {
	t.Helper()
	await(t, address, func() bool {
		c, err := net.Dial(network, address)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, f.said.String)
}

// TestOpenDKIMSigns: a message goes by OpenDKIM, and its signature holds where it is delivered.
func TestOpenDKIMSigns(t *testing.T) {
	t.Parallel()
	needs(t, "opendkim")
	names := startNames(t, "")
	f := newFilter(t, names)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	writePEM(t, filepath.Join(f.dir, "sel.pem"), "PRIVATE KEY", der)
	f.start(t, "opendkim", "-f", "-x", filepath.Join(f.dir, "opendkim.conf"))
	f.answers(t, "tcp", f.addr)

	h := open(t, "milters", "NAMES="+names, "MILTER="+f.addr)
	for _, text := range []string{
		"From: li@sohu.test\nTo: wang@sohu.test\nSubject: signed,\n  and folded\nMessage-ID: <1@sohu.test>\nDate: Mon, 23 Nov 2026 12:00:00 +0000\n\nHello.\n",
		"From: li@sohu.test\nSubject:no space\nMessage-ID: <2@sohu.test>\n\n" + strings.Repeat("A long body.\n", 20_000),
	} { // by two clients, for whom one connection to OpenDKIM is enough
		c := dial(t, h.at["smtp"])
		send(t, c, from(t, "li@sohu.test", "wang@sohu.test"), text)
		check(t, c.Close())
	}
	record, err := senderauth.FormatKey(key.Public())
	check(t, err)
	zone := authdns.Resolver{DNS: dnstest.New(t, "sel._domainkey.sohu.test TXT "+record)}
	for _, l := range awaitLetters(t, h.box("wang@sohu.test"), 2, h.log) {
		results, err := dkim.Verify(context.Background(), zone, strings.NewReader(crlf(l)), dkim.VerifyOptions{})
		if err != nil || len(results) != 1 || results[0].Verdict != senderauth.Pass || results[0].Domain != "sohu.test" {
			t.Errorf("%+v, %v of\n%s", results, err, l[:min(len(l), 2000)])
		}
	}
	h.end(t)
	h.isClean(t)
}

// gtube is what every filter of spam takes for spam, so that it can be tried out.
const gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

// TestRspamdRefusesSpam: the client hears what rspamd says, and why tells it too; what is no spam
// is delivered.
func TestRspamdRefusesSpam(t *testing.T) {
	t.Parallel()
	needs(t, "rspamd")
	names := startNames(t, "")
	f := newFilter(t, names)
	f.start(t, "rspamd", "-f", "-i", "-c", filepath.Join(f.dir, "rspamd.conf"))
	f.answers(t, "tcp", f.addr)

	h := open(t, "milters", "NAMES="+names, "MILTER="+f.addr)
	c := dial(t, h.at["smtp"])
	e := from(t, "li@sina.test", "wang@sohu.test")
	head := "From: li@sina.test\nTo: wang@sohu.test\nSubject: s\nMessage-ID: <1@sina.test>\nDate: Mon, 23 Nov 2026 12:00:00 +0000\n\n"
	if r := offer(t, c, e, head+gtube+"\n"); r.Accepted() || !strings.Contains(replies(r), "554 5.7.1 Gtube pattern") {
		t.Errorf("the client hears %s", replies(r))
	}
	h.await(t, `msg=refused .*554 5.7.1 Gtube pattern`, 1)
	send(t, c, e, head+"Hello.\n")
	check(t, c.Close())
	send(t, dial(t, h.at["smtp"]), e, head+strings.Repeat("Hello again.\n", 20_000))
	awaitLetters(t, h.box("wang@sohu.test"), 2, h.log)
	h.end(t)
	h.isClean(t)
}

// eicar is what every scanner takes for a virus, so that it can be tried out. It is in two
// pieces, so that none takes this file for one.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// TestClamavFindsAVirus, of which a tiny list of ours tells it. While the scanner is away mail
// waits, or goes on, as the settings say.
func TestClamavFindsAVirus(t *testing.T) {
	t.Parallel()
	needs(t, "clamd", "clamav-milter")
	names := startNames(t, "")
	f := newFilter(t, names)
	check(t, os.Mkdir(filepath.Join(f.dir, "db"), 0o755))
	write(t, filepath.Join(f.dir, "db", "tiny.ndb"), "Tiny.Eicar:0:*:"+hex.EncodeToString([]byte(eicar))+"\n")
	f.start(t, "clamd", "--foreground", "--config-file="+filepath.Join(f.dir, "clamd.conf"))
	f.answers(t, "unix", filepath.Join(f.dir, "clamd.sock"))
	f.start(t, "clamav-milter", "--config-file="+filepath.Join(f.dir, "clamav-milter.conf"))
	socket := filepath.Join(f.dir, "milter.sock")
	f.answers(t, "unix", socket)

	h := open(t, "milters", "NAMES="+names, "MILTER=unix:"+socket)
	c := dial(t, h.at["smtp"])
	e := from(t, "li@sina.test", "wang@sohu.test")
	if r := offer(t, c, e, "From: li@sina.test\n\n"+eicar+"\n"); r.Accepted() || !strings.Contains(replies(r), "Infected by Tiny.Eicar") {
		t.Errorf("the client hears %s", replies(r))
	}
	send(t, c, e, "From: li@sina.test\nSubject: clean\n\nHello.\n")
	if l := h.letter(t, "wang@sohu.test"); !strings.Contains(l, "X-Virus-Status: Clean\n") || !strings.HasSuffix(l, "\n\nHello.\n") {
		t.Errorf("the letter is\n%s", l)
	}
	h.end(t)
	h.isClean(t)
}

// TestMailWithoutItsMilter waits, or goes on, as the settings say.
func TestMailWithoutItsMilter(t *testing.T) {
	t.Parallel()
	names := startNames(t, "")
	nobody := "unix:" + filepath.Join(directory(t), "nobody.sock")
	e := from(t, "li@sina.test", "wang@sohu.test")
	h := open(t, "milters", "NAMES="+names, "MILTER="+nobody)
	if r := offer(t, dial(t, h.at["smtp"]), e, "From: li@sina.test\n\nHello.\n"); r.Accepted() || !strings.Contains(replies(r), "451 4.7.1 Service unavailable") {
		t.Errorf("the client hears %s", replies(r))
	}
	h.await(t, `no answer: (dial|connect): .*no such file`, 1)
	h.end(t)

	h = open(t, "milters", "NAMES="+names, "MILTER="+nobody, "FAILURE=pass")
	send(t, dial(t, h.at["smtp"]), e, "From: li@sina.test\n\nHello.\n")
	h.letter(t, "wang@sohu.test")
	h.end(t)
}
