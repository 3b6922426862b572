// Package systemd_test holds the units of this directory against systemd and against the
// program that they start.
package systemd_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/maildrop"
)

// analyze finds systemd-analyze, and skips the test without it.
func analyze(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	switch {
	case err == nil:
		return path
	case os.Getenv("POSTHOUSE_TEST_ALL") != "":
		t.Fatal("systemd-analyze is not installed, and POSTHOUSE_TEST_ALL is set")
	}
	t.Skip("systemd-analyze is not installed (Debian: systemd)")
	return ""
}

// TestExposure: what the service may do beyond its work is at most 1.5 of 10.
func TestExposure(t *testing.T) {
	const most = "15" // tenths
	out, err := exec.Command(analyze(t), "security", "--offline=yes", "--no-pager", "--threshold="+most, "posthouse.service").CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestUnits: systemd understands each line.
func TestUnits(t *testing.T) {
	program := analyze(t)
	dir := t.TempDir()
	for _, name := range []string{"posthouse.service", "posthouse.socket"} {
		text := strings.ReplaceAll(read(t, name), "/usr/bin/posthouse", program) // any program that is there
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(program, "verify", "--man=no", filepath.Join(dir, "posthouse.service"), filepath.Join(dir, "posthouse.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) { // warnings name the file
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestFolders: the installation makes the folders of the drop directory as the program
// would, which may not set their modes in the service.
func TestFolders(t *testing.T) {
	const data = "/var/lib/posthouse"
	made := filepath.Join(t.TempDir(), maildrop.Name)
	if err := maildrop.Make(made, true); err != nil {
		t.Fatal(err)
	}
	modes := map[string]string{}
	for line := range strings.Lines(read(t, "tmpfiles.d/posthouse.conf")) {
		if f := strings.Fields(line); len(f) == 5 && f[0] == "d" && f[3] == "posthouse" && f[4] == "posthouse" {
			modes[f[1]] = f[2]
		}
	}
	if modes[data] != "0711" {
		t.Errorf("%s has the mode %q", data, modes[data])
	}
	err := filepath.WalkDir(made, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := filepath.Join(data, maildrop.Name, strings.TrimPrefix(path, made))
		if want := octal(info.Mode()); modes[name] != want {
			t.Errorf("%s has the mode %q, and the program would make it %s", name, modes[name], want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// octal prints a mode as the system has it.
func octal(mode fs.FileMode) string {
	bits := int64(mode.Perm())
	for bit, is := range map[int64]fs.FileMode{0o1000: fs.ModeSticky, 0o2000: fs.ModeSetgid} {
		if mode&is != 0 {
			bits |= bit
		}
	}
	s := strconv.FormatInt(bits, 8)
	return strings.Repeat("0", 4-len(s)) + s
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
