package plainfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/posthouse/posthouse/internal/plainfile"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyRegularFilesOfABoundedLengthAreRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good"), "12345678")
	write(t, filepath.Join(dir, "long"), "123456789")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"good":                 "",
		"long":                 "it is longer than 8 octets",
		"pipe":                 "it is not a regular file",
		".":                    "it is a directory",
		"/dev/zero":            "it is not a regular file",
		"/proc/self/mountinfo": "longer than 8 octets",
		"missing":              "no such file",
	} {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		f, err := plainfile.Disk{}.Open(name)
		var text []byte
		if err == nil {
			text, err = plainfile.Read(f, 8)
		}
		switch {
		case want == "" && (err != nil || string(text) != "12345678"):
			t.Errorf("%s: %q, %v", name, text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestNothingLeadsOutOfADirectory(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "lists")
	if err := os.MkdirAll(filepath.Join(inside, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "secret"), "x")
	write(t, filepath.Join(inside, "sub", "list"), "x")
	for link, to := range map[string]string{"out": "../secret", "in": "sub/list", "abs": filepath.Join(dir, "secret")} {
		if err := os.Symlink(to, filepath.Join(inside, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, ok := range map[string]bool{"sub/list": true, "in": true, "out": false, "abs": false, "../secret": false} {
		f, err := plainfile.Disk{}.OpenIn(inside, name)
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			f.Close()
		}
	}
}
