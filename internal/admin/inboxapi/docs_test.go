package inboxapi_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/smtp"
)

// TestDocs follows the lines of docs/inbox.md as they stand, in one shell: only the address
// is another, and what "posthouse send" says there is put into the inbox by hand.
func TestDocs(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
			t.Fatal("curl is not here, and POSTHOUSE_TEST_ALL is set")
		}
		t.Skip("curl is not here")
	}
	page, err := os.ReadFile("../../../docs/inbox.md")
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(page), "## In ten lines\n")
	lines, _, _ = strings.Cut(lines, "\n(A test")
	w := begin(t)
	sent := regexp.MustCompile(`posthouse send .* --to (\S+) --subject "([^"]*)" --text "([^"]*)"`).FindStringSubmatch(lines)
	if sent == nil {
		t.Fatalf("nothing is sent in %s", lines)
	}
	to, err := smtp.ParseMailbox(sent[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Put(t.Context(), inbox.Arrival{Inbox: "shop", To: []smtp.Path{to}}, strings.NewReader("Subject: "+sent[2]+"\r\n\r\n"+sent[3]+"\r\n")); err != nil {
		t.Fatal(err)
	}
	script := "set -e\n"
	for line := range strings.Lines(lines) {
		if line = strings.TrimPrefix(line, "    "); !strings.HasPrefix(line, "posthouse") {
			script += strings.ReplaceAll(line, "http://127.0.0.1:8025", w.server.URL)
		}
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rest := string(out)
	for _, want := range []string{`"482913"`, "Subject: Your code", `"checkout"`, `"found": 1`, `"tries": "1"`, `"deleted": 1`} {
		var found bool
		if _, rest, found = strings.Cut(rest, want); !found {
			t.Fatalf("no line answers %s, in this order: %s", want, out)
		}
	}
	if strings.Contains(string(out), `"error"`) {
		t.Errorf("a line was refused: %s", out)
	}
}
