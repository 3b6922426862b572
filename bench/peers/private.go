//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/posthouse/posthouse/bench/internal/warden"
)

// unpacked is a server from a package of Debian's that is unpacked in a folder
// and not installed, as only one mail server can be. It finds its programs,
// users and configuration where they are compiled in, because they are laid over
// /usr and /etc for its own eyes; the machine keeps nothing of it.
type unpacked struct {
	folder  string // holds usr/...; see README.md
	program string // such as "exim4", in usr/sbin
}

// there says why the server cannot be measured, or nothing.
func (u unpacked) there() error {
	if err := needRoot(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(u.folder, "usr/sbin", u.program)); err != nil {
		return fmt.Errorf("it is not unpacked in %s (see bench/README.md)", u.folder)
	}
	return nil
}

// view has a server see its own files, and those of etc: name below /etc, and text.
func (u unpacked) view(at place, etc map[string]string) ([]warden.Mount, error) {
	for name, text := range etc {
		if _, err := at.write(filepath.Join("private/etc", name), text); err != nil {
			return nil, err
		}
	}
	users, err1 := os.ReadFile("/etc/passwd")
	groups, err2 := os.ReadFile("/etc/group")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	var moreUsers, moreGroups strings.Builder
	for i, name := range privateUsers {
		id := firstPrivate + i
		fmt.Fprintf(&moreUsers, "%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", name, id, id)
		fmt.Fprintf(&moreGroups, "%s:x:%d:\n", name, id)
	}
	_, err1 = at.write("private/etc/passwd", string(users)+moreUsers.String())
	_, err2 = at.write("private/etc/group", string(groups)+moreGroups.String())
	return []warden.Mount{
		{Over: "/usr", Layers: []string{filepath.Join(u.folder, "usr")}, Scratch: filepath.Join(at.dir, "private/over-usr")},
		{Over: "/etc", Layers: []string{filepath.Join(at.dir, "private/etc")}, Scratch: filepath.Join(at.dir, "private/over-etc")},
	}, errors.Join(err1, err2)
}

// privateUsers are those that the servers know by name, numbered from firstPrivate.
// The first owns the Maildir.
var privateUsers = []string{boxOwner, "Debian-exim", "opensmtpd", "opensmtpq"}

const (
	boxOwner     = "bench-box"
	firstPrivate = 64100
)

// give makes a directory of one of the private users.
func (p place) give(name, owner string, perm os.FileMode) error {
	dir := filepath.Join(p.dir, name)
	for i, user := range privateUsers {
		if user == owner {
			return errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, perm), os.Chown(dir, firstPrivate+i, firstPrivate+i))
		}
	}
	return fmt.Errorf("no private user %s", owner)
}
