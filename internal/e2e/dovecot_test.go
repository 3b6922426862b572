package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/posthouse/posthouse/smtp"
)

// dovecot is a Dovecot of our own that takes mail over LMTP.
type dovecot struct {
	dir, addr string
}

// nobody is whose the mailboxes are: Dovecot gives none to root.
const nobody = 65534

// startDovecot runs a Dovecot until the test is over. It knows bob, carol and full,
// whose mailbox holds very little.
func startDovecot(t *testing.T) *dovecot {
	t.Helper()
	needs(t, "dovecot", "/usr/lib/dovecot/lmtp")
	needsRoot(t, "run Dovecot for several users")
	d := &dovecot{directory(t), vacant(t)}
	at, port, err := net.SplitHostPort(d.addr)
	check(t, err)
	fill := strings.NewReplacer("@DIR@", d.dir, "@HOST@", at, "@PORT@", port, "@UID@", strconv.Itoa(nobody), "@GID@", strconv.Itoa(nobody))
	text, err := os.ReadFile("testdata/dovecot.conf")
	check(t, err)
	write(t, filepath.Join(d.dir, "dovecot.conf"), fill.Replace(string(text)))
	write(t, filepath.Join(d.dir, "users"), `bob@example.org:::::::
carol@example.org:::::::
full@example.org:::::::userdb_quota_rule=*:storage=1k
`)
	check(t, os.Mkdir(filepath.Join(d.dir, "mail"), 0o755))
	check(t, os.Chown(filepath.Join(d.dir, "mail"), nobody, nobody))
	cmd := exec.Command("dovecot", "-F", "-c", filepath.Join(d.dir, "dovecot.conf"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // all that it starts is in its group
	said := &logbook{}
	cmd.Stderr = said
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("dovecot said:\n%s%s", said, lastOf(d.log()))
		}
	})
	await(t, "Dovecot", func() bool {
		c, err := net.Dial("tcp", d.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, d.log)
	return d
}

func (d *dovecot) log() string { return file(filepath.Join(d.dir, "log"))() }

func (d *dovecot) box(user string) string { return filepath.Join(d.dir, "mail", user) }

// Mail goes into Dovecot's mailboxes, over TCP and by a socket of the file system. In
// one transaction each recipient has a fate of its own, at RCPT and behind the
// dot, and the sender hears of the bad ones in one report.
func TestDovecotKeepsTheMailboxes(t *testing.T) {
	t.Parallel()
	d := startDovecot(t)
	for name, store := range map[string]string{"over TCP": d.addr, "by a socket": "unix:" + filepath.Join(d.dir, "lmtp")} {
		h := open(t, "store", "STORE="+store)
		c := dial(t, h.at["smtp"])
		e := from(t, "alice@example.com", "bob@example.org", "gone@example.org", "full@example.org", "carol@example.org")
		text := "Subject: " + name + "\nMessage-ID: <four@example.com>\n\n.\nHello " + name + ".\n" + strings.Repeat("It takes some room.\n", 200)
		send(t, c, e, text)
		by := "HOST"
		if strings.HasPrefix(store, "unix:") {
			by = "" // its name is for us alone
		}
		want := `report "Not delivered: ` + name + `", about <four@example.com>
<gone@example.org> failed 5.1.1 by ` + by + `, smtp: 550 5.1.1 <gone@example.org> User doesn't exist: gone@example.org
<full@example.org> failed 5.2.2 by ` + by + `, smtp: 552 5.2.2 <full@example.org> Quota exceeded (mailbox for user is full)
`
		compare(t, "the report", toldIn(t, h.letter(t, "alice@example.com")), want)
		h.await(t, "msg=delivered .*to=<(bob|carol)@example.org>", 2)
		h.end(t)
		for _, user := range []string{"bob", "carol"} {
			found := 0
			for _, l := range letters(t, d.box(user)) {
				if strings.HasSuffix(l, "\n"+text) {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%s, %s has the message %d times, want once:\n%s", name, user, found, strings.Join(letters(t, d.box(user)), "\n----\n"))
			}
		}
	}
}

// A report of success is ours, since LMTP is where the mail ends (RFC 3461, 5.2.2).
func TestDovecotDeliversAndWeSaySo(t *testing.T) {
	t.Parallel()
	d := startDovecot(t)
	h := open(t, "store", "STORE="+d.addr)
	e := from(t, "alice@example.com", "bob@example.org")
	e.To[0].Params.Notify = smtp.NotifySuccess
	send(t, dial(t, h.at["smtp"]), e, "Subject: asked for\nMessage-ID: <one@example.com>\n\nHello.\n")
	told := toldIn(t, h.letter(t, "alice@example.com"))
	if !strings.HasPrefix(told, `report "Delivered: asked for", about <one@example.com>`+"\n<bob@example.org> delivered 2.") {
		t.Errorf("the report is\n%s", told)
	}
}
