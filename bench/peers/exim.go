//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/posthouse/posthouse/bench/internal/warden"
)

// exim is Debian's exim4-daemon-light, with one process a session and one a
// delivery, as it always works.
type exim struct{ unpacked }

func (exim) name() string      { return "exim" }
func (exim) crowd() int        { return 100 }
func (exim) knows(m mode) bool { return m != secure && !m.shared() }

func (e exim) version(ctx context.Context) (string, error) {
	if err := e.there(); err != nil {
		return "", err
	}
	return debianVersion(ctx, e.folder, "exim4-daemon-light", "Exim")
}

func (e exim) order(at place) (warden.Order, error) {
	for _, name := range []string{"spool", "log", "mail"} {
		if err := at.give(name, "Debian-exim", 0o755); err != nil {
			return warden.Order{}, err
		}
	}
	conf, err := at.write("exim.conf", eximConf(at))
	if err != nil {
		return warden.Order{}, err
	}
	// Debian's Exim stays root only with a configuration that is listed here.
	mounts, err := e.view(at, map[string]string{"exim4/trusted_configs": conf + "\n"})
	return warden.Order{Command: []string{"/usr/sbin/exim4", "-C", conf, "-bdf"}, Mounts: mounts}, err
}

func eximConf(at place) string {
	later := at.mode == hold || at.mode == deferred
	text := fmt.Sprintf(`# Written by the benchmark.
primary_hostname = bench.test
spool_directory = %[1]s/spool
log_file_path = %[1]s/log/%%slog
pid_file_path = %[1]s/exim.pid
exim_user = Debian-exim
exim_group = Debian-exim
local_interfaces = 127.0.0.1
daemon_smtp_ports = %[2]d
disable_ipv6
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
keep_environment =
message_size_limit = 50M
split_spool_directory
queue_only = %[4]t
deliver_drop_privilege

# As fast as it goes.
smtp_accept_max = %[3]d
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 512
no_smtp_enforce_sync
check_spool_space = 0
check_spool_inodes = 0

acl_smtp_rcpt = all
acl_smtp_data = all
begin acl
all:
  accept
begin routers
`, at.dir, at.port, at.sessions+60, later)
	if at.mode == maildir {
		text += fmt.Sprintf(`box:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  maildir_format
  create_directory
  directory = %s
  user = Debian-exim
`, filepath.Dir(at.box()))
	} else {
		text += fmt.Sprintf(`next:
  driver = manualroute
  route_list = * 127.0.0.1::%d byname
  self = send
  transport = next
begin transports
next:
  driver = smtp
  allow_localhost
  hosts_avoid_tls = *
  hosts_try_dane =
`, at.sinkPort)
	}
	return text + "begin retry\n* * F,1h,5m\n"
}

// debianVersion reads the version of an unpacked package from the name of its
// changelog's first entry, which dpkg would know if it were installed.
func debianVersion(ctx context.Context, folder, pkg, title string) (string, error) {
	changes := filepath.Join(folder, "usr/share/doc", pkg, "changelog.Debian.gz")
	line, err := output(ctx, "sh", "-c", `gzip -dc "$1" | head -n 1`, "sh", changes)
	if err != nil {
		return "", err
	}
	var version string
	if _, err := fmt.Sscanf(line, "%s (%s", new(string), &version); err != nil {
		return "", errors.Join(fmt.Errorf("%s begins with %q", changes, line), err)
	}
	return title + " " + trimParenthesis(version), nil
}

func trimParenthesis(s string) string {
	if n := len(s); n > 0 && s[n-1] == ')' {
		return s[:n-1]
	}
	return s
}
