package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestAnotherUser: root opens port 25 and gives its rights up, in all threads and for
// good; what the house writes belongs to the user that it has become, and is closed to
// others.
func TestAnotherUser(t *testing.T) {
	needsRoot(t, "become somebody else")
	nobody, err := user.Lookup("nobody")
	check(t, err)
	h := open(t, "another-user", "ADDRESS="+host()+":25")
	client := dial(t, h.at["smtp"])
	send(t, client, from(t, "li@sohu.com", "alice@example.org"), "Subject: who are you\n\nhello\n")
	h.letter(t, "alice@example.org")

	isAnother(t, h.cmd.Process.Pid, nobody)
	check(t, exec.Command("posthouse", "reload", "--data", filepath.Join(h.dir, "data")).Run())
	check(t, client.Close())
	client = dial(t, h.at["smtp"]) // the socket outlives the reload, though nobody could open it again
	check(t, client.Close())
	h.end(t)
	belongs(t, filepath.Join(h.dir, "data"), nobody)

	// What only root can read is told at the start, rather than with the first reload.
	check(t, os.Chmod(filepath.Join(h.dir, "posthouse.hcl"), 0o600))
	run := exec.Command("posthouse", "run", "--config", "posthouse.hcl", "--data", "data")
	run.Dir, run.Env = h.dir, append(os.Environ(), h.env...)
	said, err := run.CombinedOutput()
	if run.ProcessState.ExitCode() != 77 || !strings.Contains(string(said), "nobody must be able to read posthouse.hcl, for a reload too") {
		t.Errorf("it ended with %v: %s", err, said)
	}
}

// isAnother looks at each thread of a process.
func isAnother(t *testing.T, pid int, who *user.User) {
	t.Helper()
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/status")
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			switch {
			case f[0] == "Uid:" && !slices.Equal(f[1:], slices.Repeat([]string{who.Uid}, 4)),
				f[0] == "Gid:" && !slices.Equal(f[1:], slices.Repeat([]string{who.Gid}, 4)),
				f[0] == "Groups:" && slices.Contains(f[1:], "0"),
				f[0] == "CapEff:" && strings.Trim(f[1], "0") != "":
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

// belongs holds each file below a directory to its owner and a mode.
func belongs(t *testing.T, dir string, who *user.User) {
	t.Helper()
	files := 0
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; strconv.Itoa(int(uid)) != who.Uid {
			t.Errorf("%s belongs to user %d", path, uid)
		}
		if d.Type().IsRegular() {
			files++
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has the mode %v", path, info.Mode())
			}
		}
		return nil
	}))
	if files < 3 {
		t.Errorf("there are only %d files", files)
	}
}
