package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// TestKilled kills the program (SIGKILL) in the middle of its work, again and
// again in the same folder: each message that was answered 250 is there, once
// and whole, and no other is torn. POSTHOUSE_TEST_ALL kills it more often.
func TestKilled(t *testing.T) {
	rounds := 3
	if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		rounds = 100
	}
	data := filepath.Join(t.TempDir(), "data")
	acknowledged := map[string]bool{}
	for range rounds {
		for _, subject := range killedUnderLoad(t, data, len(acknowledged)) {
			acknowledged[subject] = true
		}
	}
	kept := keptWhole(t, data)
	for subject := range acknowledged {
		if kept[subject] != 1 {
			t.Errorf("message %q was answered 250 and is there %d times", subject, kept[subject])
		}
	}
	t.Logf("%d rounds, %d messages answered 250, %d kept", rounds, len(acknowledged), len(kept))
}

const bodyOfKilled = "a line to be torn\r\n"

// killedUnderLoad runs the program, has clients send to it, kills it while they
// do, and returns the subjects of the messages that were answered 250.
func killedUnderLoad(t *testing.T, data string, from int) []string {
	t.Helper()
	cmd := exec.Command("posthouse", "run", "--smtp", "127.0.0.1:0", "--data", data, "--json")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(stdout).ReadBytes('\n')
	var where struct{ SMTP string }
	if err = errors.Join(err, json.Unmarshal(first, &where)); err != nil {
		t.Fatalf("posthouse run said %q: %v", first, err)
	}
	var mu sync.Mutex
	var done []string
	enough := 5 + rand.IntN(50)
	note := func(subject string) {
		mu.Lock()
		defer mu.Unlock()
		if done = append(done, subject); len(done) == enough {
			_ = cmd.Process.Kill()
		}
	}
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() { sendUntilKilled(t, where.SMTP, fmt.Sprintf("%d-%d", from, i), note) })
	}
	clients.Wait()
	_ = cmd.Wait() // tells that it was killed
	return done
}

// sendUntilKilled sends message after message until the connection is lost.
func sendUntilKilled(t *testing.T, addr, name string, note func(subject string)) {
	from, _ := smtp.ParseMailbox("li@sohu.com")
	to, _ := smtp.ParseMailbox("wang@sina.com")
	d := smtpclient.Dialer{TLS: smtpclient.TLSNever}
	c, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		return // another client was quicker
	}
	defer c.Close()
	env := smtpclient.Envelope{From: from, To: []smtpclient.Recipient{{Path: to}}}
	for i := 0; ; i++ {
		subject := fmt.Sprintf("%s-%d", name, i)
		text := "Subject: " + subject + "\r\n\r\n" + strings.Repeat(bodyOfKilled, 500)
		r, err := c.Send(t.Context(), env, smtpclient.Bytes([]byte(text)))
		if err == nil && !r.Accepted() {
			t.Errorf("%s: %v", subject, r.Recipients[0].Err)
		}
		if !r.Accepted() {
			return
		}
		note(subject)
	}
}

// keptWhole counts the messages in the inbox by subject, and holds each to
// its length.
func keptWhole(t *testing.T, data string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "inbox", "*", "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, subject, _ := bytes.Cut(text, []byte("Subject: "))
		subject, body, _ := bytes.Cut(subject, []byte("\r\n\r\n"))
		kept[string(subject)]++
		if want := strings.Repeat(bodyOfKilled, 500); string(body) != want {
			t.Errorf("%s is torn: %d octets of %d", file, len(body), len(want))
		}
	}
	return kept
}
