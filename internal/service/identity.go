package service

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Identity is a user of the system, with all groups that it is in.
type Identity struct {
	Name   string
	UID    int
	GID    int
	Groups []int // the group GID too
}

// Lookup finds a user. Root is none that a program becomes.
func Lookup(name string) (Identity, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return Identity{}, err
	}
	i := Identity{Name: name}
	groups, err := u.GroupIds()
	if err != nil {
		return Identity{}, fmt.Errorf("the groups of %s: %w", name, err)
	}
	for _, text := range append([]string{u.Uid, u.Gid}, groups...) {
		id, err := strconv.Atoi(text)
		if err != nil {
			return Identity{}, fmt.Errorf("user %s: %w", name, err)
		}
		i.Groups = append(i.Groups, id)
	}
	i.UID, i.GID = i.Groups[0], i.Groups[1]
	i.Groups = unique(i.Groups[1:])
	if i.UID == 0 {
		return Identity{}, fmt.Errorf("%s is root, whom nobody needs to become", name)
	}
	return i, nil
}

func unique(ids []int) []int {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Is reports whether the program runs as this user already.
func (i Identity) Is() bool {
	return syscall.Getuid() == i.UID && syscall.Geteuid() == i.UID && syscall.Getegid() == i.GID
}

// Become makes all threads of the program run as this user, without a way back, and
// sees that there is none: it tries to become root again. If the error is not nil the
// program must end, for who it is then is not known.
func (i Identity) Become() error {
	if i.Is() {
		return i.verify()
	}
	if syscall.Geteuid() != 0 {
		return fmt.Errorf("only root can become %s (start it as root, or as %[1]s)", i.Name)
	}
	err := syscall.Setgroups(i.Groups)
	if err == nil {
		err = syscall.Setgid(i.GID)
	}
	if err == nil {
		err = syscall.Setuid(i.UID)
	}
	if err != nil {
		return fmt.Errorf("become %s: %w", i.Name, err)
	}
	return i.verify()
}

// verify sees that nothing of root is left.
func (i Identity) verify() error {
	wrong := func(what string) error { return fmt.Errorf("become %s: %s", i.Name, what) }
	switch groups, err := syscall.Getgroups(); {
	case !i.Is() || syscall.Getgid() != i.GID:
		return wrong("the system says that we are somebody else")
	case err != nil:
		return fmt.Errorf("become %s: %w", i.Name, err)
	case slices.Contains(groups, 0) && !slices.Contains(i.Groups, 0):
		return wrong("the group of root is left")
	case syscall.Setuid(0) == nil || syscall.Seteuid(0) == nil:
		return wrong("we could become root again")
	case i.GID != 0 && syscall.Setgid(0) == nil:
		return wrong("we could take the group of root again")
	}
	return i.verifyThreads()
}

// verifyThreads reads what the system knows of each thread. Where there is no /proc in
// the form of Linux, a process has one identity.
func (i Identity) verifyThreads() error {
	const tasks = "/proc/self/task"
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return nil
	}
	for _, t := range threads {
		text, err := os.ReadFile(tasks + "/" + t.Name() + "/status")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return err
		}
		if err := i.check(string(text)); err != nil {
			return fmt.Errorf("become %s: thread %s: %w", i.Name, t.Name(), err)
		}
	}
	return nil
}

// check reads the status of a thread (proc_pid_status(5)).
func (i Identity) check(status string) error {
	for line := range strings.Lines(status) {
		key, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		switch key {
		case "Uid", "Gid": // real, effective, saved, of the file system
			want := strconv.Itoa(i.UID)
			if key == "Gid" {
				want = strconv.Itoa(i.GID)
			}
			if slices.ContainsFunc(fields, func(f string) bool { return f != want }) {
				return fmt.Errorf("its %s is %s", strings.ToLower(key), strings.Join(fields, " "))
			}
		case "CapPrm", "CapEff":
			// With a supervisor's help there may be the one for low ports, and no other.
			if n, err := strconv.ParseUint(strings.Join(fields, ""), 16, 64); err != nil || n&^capNetBindService != 0 {
				return fmt.Errorf("its capabilities are %s", strings.Join(fields, ""))
			}
		}
	}
	return nil
}

// capNetBindService is the bit of CAP_NET_BIND_SERVICE.
const capNetBindService = 1 << 10
