//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/posthouse/posthouse/bench/internal/warden"
)

// opensmtpd is Debian's opensmtpd. It syncs nothing before its 250, so that its
// figures are those of a weaker promise.
type opensmtpd struct{ unpacked }

func (opensmtpd) name() string      { return "opensmtpd" }
func (opensmtpd) crowd() int        { return 500 }
func (opensmtpd) knows(m mode) bool { return m != deferred && m != secure && !m.shared() }

func (o opensmtpd) version(ctx context.Context) (string, error) {
	if err := o.there(); err != nil {
		return "", err
	}
	v, err := debianVersion(ctx, o.folder, "opensmtpd", "OpenSMTPD")
	return v + " (no sync before its 250)", err
}

func (o opensmtpd) order(at place) (warden.Order, error) {
	errs := errors.Join(
		at.give("mail", boxOwner, 0o755),
		os.MkdirAll(filepath.Join(at.dir, "private/spool/smtpd"), 0o711),
		os.MkdirAll(filepath.Join(at.dir, "private/run"), 0o755),
		os.MkdirAll(filepath.Join(at.dir, "private/lib/opensmtpd/empty"), 0o755),
	)
	conf, err := at.write("smtpd.conf", opensmtpdConf(at))
	if err := errors.Join(errs, err); err != nil {
		return warden.Order{}, err
	}
	// It must not ask a name server about 127.0.0.1 before it greets.
	mounts, err := o.view(at, map[string]string{"resolv.conf": "lookup file\nnameserver 127.0.0.1\n"})
	for over, from := range map[string]string{"/var/spool": "private/spool", "/run": "private/run", "/var/lib": "private/lib"} {
		mounts = append(mounts, warden.Mount{Over: over, From: filepath.Join(at.dir, from)})
	}
	command := []string{"/usr/sbin/smtpd", "-F", "-f", conf}
	if at.mode == hold {
		command = append(command, "-P", "mta")
	}
	return warden.Order{Command: command, Mounts: mounts}, err
}

func opensmtpdConf(at place) string {
	var text strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	say("# Written by the benchmark.")
	say("listen on 127.0.0.1 port %d hostname bench.test", at.port)
	say("smtp max-message-size 50M")
	say("smtp limit max-mails 1000000") // of one connection
	if at.mode == maildir {
		say(`table everybody { "@" = "%s" }`, boxOwner)
		say(`action "here" maildir "%s" virtual <everybody> user %s`, filepath.Dir(at.box()), boxOwner)
		say(`match from any for any action "here"`)
		return text.String()
	}
	// Otherwise five connections, five seconds apart.
	for _, scope := range []string{"host", "route", "relay", "domain"} {
		say("mta limit max-conn-per-%s 50", scope)
	}
	for _, scope := range []string{"route", "relay", "source", "connector", "domain", "host"} {
		say("mta limit conn-delay-%s 0", scope)
	}
	say("mta limit session-mail-max 10000")
	say(`action "next" relay host "smtp://%s"`, at.sink())
	say(`match from any for any action "next"`)
	return text.String()
}
