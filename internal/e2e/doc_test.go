// Package e2e shows the whole of Posthouse at work: the program that users have
// runs with a configuration of testdata, beside the real programs that it must get
// on with. Each test is a story with a private world: directories of its own, and
// loopback addresses that nobody else has.
//
//	house_test.go    posthouse run --config
//	postfix_test.go  Postfix, as the next hop and as the one before
//	dovecot_test.go  Dovecot, over LMTP
//	names_test.go    a name server
//	milter_test.go   rspamd, OpenDKIM and clamav-milter
//	domain_test.go   a domain that is set up
//	clients_test.go  seven programs of other people, which log in
//	finger_test.go   OpenSSL and posttls-finger, which look at our ports
//	testssl_test.go  testssl.sh
//	peer_test.go     hosts that say what a script has them say
//
// A program that is missing is a test that is skipped, and says why; with
// POSTHOUSE_TEST_ALL set it is a failure. Postfix, Dovecot and port 25 want root, and
// others skip them: .ci/run sees to it that they run.
package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/installed"
)

func TestMain(m *testing.M) { os.Exit(installed.Run(m, race()...)) }

// race is the flag of the race detector, if these tests have it.
func race() []string {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return []string{"-race"}
	}
	return nil
}

// needs skips a test for which a program is missing.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			skip(t, p+" is not installed")
		}
	}
}

// needsRoot skips a test that must be root; .ci/run runs it as root whoever it is.
func needsRoot(t *testing.T, why string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can " + why)
	}
}

// skip skips a test, unless everything is to be tested.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		t.Fatalf("%s, and POSTHOUSE_TEST_ALL is set", why)
	}
	t.Skip(why)
}

// directory makes a directory that others than us may look into, with a name that
// is short enough for sockets.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e")
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	check(t, os.Chmod(dir, 0o755))
	return dir
}

// host is a loopback address that nobody else has: so that nobody else takes its
// ports either.
func host() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

// vacant is an address of ours at which nobody listens.
func vacant(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", host()+":0")
	if err != nil {
		skip(t, "this system has not all of 127.0.0.0/8: "+err.Error())
	}
	defer l.Close()
	return l.Addr().String()
}

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// await waits until something is so; say tells what was seen instead.
func await(t *testing.T, what string, is func() bool, say func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s; there is\n%s", patience, what, lastOf(say()))
		}
	}
}

// lastOf is the end of a long text.
func lastOf(text string) string {
	const most = 8000
	return text[max(0, len(text)-most):]
}

// awaitLog waits until a log has as many lines that match, and returns them.
func awaitLog(t *testing.T, read func() string, pattern string, count int) []string {
	t.Helper()
	re := regexp.MustCompile("(?m)^.*" + pattern + ".*$")
	var found []string
	await(t, fmt.Sprintf("%d times %q", count, pattern), func() bool {
		found = re.FindAllString(read(), -1)
		return len(found) >= count
	}, read)
	return found
}

// letters are the messages of a Maildir, with LF for CRLF.
func letters(t *testing.T, maildir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(maildir, "new", "*"))
	check(t, err)
	var all []string
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil { // else it was moved just now
			all = append(all, strings.ReplaceAll(string(text), "\r\n", "\n"))
		}
	}
	return all
}

// awaitLetters waits until a Maildir has as many messages.
func awaitLetters(t *testing.T, maildir string, count int, log func() string) []string {
	t.Helper()
	var all []string
	await(t, fmt.Sprintf("%d messages in %s", count, maildir), func() bool {
		all = letters(t, maildir)
		return len(all) >= count
	}, func() string { return fmt.Sprintf("%d: %s\n%s", len(all), strings.Join(all, "\n----\n"), log()) })
	if len(all) > count {
		t.Errorf("%s has %d messages, want %d:\n%s", maildir, len(all), count, strings.Join(all, "\n----\n"))
	}
	return all
}

// file reads a file as a log does: what is not there yet is empty.
func file(name string) func() string {
	return func() string {
		text, _ := os.ReadFile(name)
		return string(text)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	check(t, os.WriteFile(name, []byte(text), 0o644))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
