//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/bench/internal/warden"
)

// postfix is the installed Postfix with a queue and a configuration of its own;
// the one of the machine is not touched. It logs to syslog, if there is one.
type postfix struct{}

func (postfix) name() string      { return "postfix" }
func (postfix) knows(m mode) bool { return !m.shared() }

// crowd is small: each session is a process of more than a megabyte.
func (postfix) crowd() int { return 300 }

func (postfix) version(ctx context.Context) (string, error) {
	if err := needRoot(); err != nil {
		return "", err
	}
	version, err := builtIn(ctx, "mail_version")
	if err != nil {
		return "", errors.New("it is not installed: apt-get install postfix")
	}
	return "Postfix " + version, nil
}

// builtIn asks for the default of a parameter.
func builtIn(ctx context.Context, parameter string) (string, error) {
	return output(ctx, look("postconf"), "-dh", parameter)
}

// look finds a program of the administrator's, also when the path of the caller
// leaves those out.
func look(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return "/usr/sbin/" + name
}

func (postfix) order(at place) (warden.Order, error) {
	owner, err := postfixOwner(context.Background())
	if err != nil {
		return warden.Order{}, err
	}
	daemons, err := builtIn(context.Background(), "daemon_directory")
	if err != nil {
		return warden.Order{}, err
	}
	if err := owner.layOut(at); err != nil {
		return warden.Order{}, err
	}
	main, err := at.write("etc/main.cf", postfixMain(at))
	if err != nil {
		return warden.Order{}, err
	}
	if _, err := at.write("etc/master.cf", postfixMaster(at)); err != nil {
		return warden.Order{}, err
	}
	return warden.Order{Command: []string{filepath.Join(daemons, "master"), "-c", filepath.Dir(main)}}, nil
}

// ids are the numbers of the user and the group that own a queue.
type ids struct{ mail, drop int }

func postfixOwner(ctx context.Context) (o ids, err error) {
	name, err1 := builtIn(ctx, "mail_owner")
	group, err2 := builtIn(ctx, "setgid_group")
	if err := errors.Join(err1, err2); err != nil {
		return o, err
	}
	u, err1 := user.Lookup(name)
	g, err2 := user.LookupGroup(group)
	if err := errors.Join(err1, err2); err != nil {
		return o, err
	}
	o.mail, err1 = strconv.Atoi(u.Uid)
	o.drop, err2 = strconv.Atoi(g.Gid)
	return o, errors.Join(err1, err2)
}

// layOut makes the directories that master expects.
func (o ids) layOut(at place) error {
	make := func(name string, perm os.FileMode, uid, gid int) error {
		dir := filepath.Join(at.dir, name)
		return errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, perm), os.Chown(dir, uid, gid))
	}
	var errs []error
	for name := range strings.FieldsSeq("active bounce corrupt defer deferred flush hold incoming private saved trace") {
		errs = append(errs, make("queue/"+name, 0o700, o.mail, 0))
	}
	return errors.Join(append(errs,
		make("queue/pid", 0o755, 0, 0),
		make("queue/public", 0o710, o.mail, o.drop),
		make("queue/maildrop", 0o730|os.ModeSticky, o.mail, o.drop),
		make("state", 0o700, o.mail, 0),
		make("mail", 0o755, nobody, nobody),
	)...)
}

// nobody owns the Maildir: Postfix delivers into none that root owns.
const nobody = 65534

func postfixMain(at place) string {
	first := "permit_mynetworks"
	if at.mode == hold || at.mode == secure {
		first = "check_client_access static:HOLD, permit_mynetworks"
	}
	text := fmt.Sprintf(`# Written by the benchmark.
compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/state
myhostname = bench.test
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_recipient_restrictions = %[2]s, reject
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtp_tls_security_level = none
smtp_dns_support_level = disabled
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0

# As fast as it goes: it may have a process for each session, and takes mail in
# without waiting for what has to leave.
default_process_limit = %[3]d
in_flow_delay = 0
qmgr_message_active_limit = 40000
default_destination_concurrency_limit = 50
initial_destination_concurrency = 50
`, at.dir, first, at.sessions+60)
	if at.mode == secure {
		text += fmt.Sprintf("smtpd_tls_security_level = may\nsmtpd_tls_chain_files = %s, %s\n", at.key(), at.chain())
	} else {
		text += "smtpd_tls_security_level = none\n"
	}
	switch at.mode {
	case relay:
		text += fmt.Sprintf("relayhost = [127.0.0.1]:%[1]d\nsmtp_connection_cache_destinations = [127.0.0.1]:%[1]d\n", at.sinkPort)
	case deferred:
		text += "relayhost = [127.0.0.1]:1\n"
	case maildir:
		text += fmt.Sprintf(`virtual_mailbox_domains = example.com
virtual_mailbox_base = %s/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:%[2]d
virtual_gid_maps = static:%[2]d
virtual_destination_concurrency_limit = 20
`, at.dir, nobody)
	}
	return text
}

// postfixMaster lists the services; none runs in a chroot.
func postfixMaster(at place) string {
	var text strings.Builder
	line := func(name, kind, private, wake, most, command string) {
		fmt.Fprintf(&text, "%-16s %-5s %-2s - n %-5s %-4s %s\n", name, kind, private, wake, most, command)
	}
	line(at.addr(), "inet", "n", "-", strconv.Itoa(at.sessions+20), "smtpd")
	line("pickup", "unix", "n", "60", "1", "pickup")
	line("cleanup", "unix", "n", "-", "0", "cleanup")
	line("qmgr", "unix", "n", "300", "1", "qmgr")
	line("flush", "unix", "n", "1000?", "0", "flush")
	line("showq", "unix", "n", "-", "-", "showq")
	line("tlsmgr", "unix", "-", "1000?", "1", "tlsmgr")
	line("rewrite", "unix", "-", "-", "-", "trivial-rewrite")
	for _, name := range []string{"bounce", "defer", "trace"} {
		line(name, "unix", "-", "-", "0", "bounce")
	}
	for _, name := range []string{"verify", "anvil", "scache"} {
		line(name, "unix", "-", "-", "1", name)
	}
	for _, name := range []string{"smtp", "proxymap", "error", "discard"} {
		line(name, "unix", "-", "-", "-", name)
	}
	line("relay", "unix", "-", "-", "-", "smtp")
	line("retry", "unix", "-", "-", "-", "error")
	// It alone is not unprivileged: it becomes the owner of the mailbox.
	text.WriteString("virtual unix - n n - - virtual\n")
	return text.String()
}
