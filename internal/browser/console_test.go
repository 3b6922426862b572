package browser

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// program is a posthouse that runs.
type program struct {
	t             *testing.T
	console, smtp string // addresses
}

// run starts the program and waits until it says where it can be reached.
func run(t *testing.T, args ...string) *program {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "posthouse", append([]string{"run"}, args...)...)
	cmd.Dir = t.TempDir()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil && t.Failed() {
			t.Logf("%v\n%s", err, &errs)
		}
	})
	p := &program{t: t}
	lines := bufio.NewScanner(out)
	for (p.console == "" || p.smtp == "") && lines.Scan() {
		if at := regexp.MustCompile(`http://\S+`).FindString(lines.Text()); at != "" {
			p.console = strings.TrimRight(at, "./)")
		} else if at := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(lines.Text()); at != "" && p.smtp == "" {
			p.smtp = at
		}
	}
	if p.console == "" || p.smtp == "" { // the first listener is that which mail is sent to
		t.Fatalf("the program does not say where it can be reached: %s", &errs)
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return p
}

// send sends a message by the program that users have.
func (p *program) send(to, subject string, args ...string) {
	p.t.Helper()
	args = append([]string{"send", "--server", p.smtp, "--from", "Ann <ann@sina.example>", "--to", to, "--subject", subject}, args...)
	if out, err := exec.CommandContext(p.t.Context(), "posthouse", args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
}

// queueStory is an operator who finds a stuck message and moves it.
func queueStory(t *testing.T, b *browser) {
	dead, err := net.Listen("tcp", "127.0.0.1:0") // somebody who does not answer
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	config := filepath.Join(t.TempDir(), "main.hcl")
	text := fmt.Sprintf(`hostname = "mx.example.org"
data     = "data"
listen "smtp" { address = "127.0.0.1:0" }
relay { networks = ["127.0.0.0/8"] }
domain "example.org" { mailboxes = ["jane"] }
route "partners" {
  to        = ["grey.example", "sohu.example"]
  smarthost = %q
}
console {
  address = "127.0.0.1:0"
  guests  = "operate"
}
`, dead.Addr())
	if err := os.WriteFile(config, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	p := run(t, "--config", config)
	b.page(t, p.console+"/queue")
	b.says(t, "The queue is empty")
	for i, subject := range []string{"Invoice 4711", "Your order has shipped", "会议纪要", "Minutes of Monday"} {
		p.send(fmt.Sprintf("bob%d@grey.example", i), subject, "--text", "It rains.")
	}
	p.send("a.very.long.local.part.that.goes.on.and.on.and.reaches.sixty.fo@sohu.example", strings.Repeat("long", 60), "--text", "It rains.")
	p.send("jane@example.org", "Welcome", "--text", "It rains.")
	b.says(t, dead.Addr().String()) // it came without reloading
	b.says(t, "down")
	b.photograph(t, "queue")

	b.page(t, p.console+"/queue/messages")
	b.says(t, "Invoice 4711")
	b.photograph(t, "queue-messages")
	b.click(t, "tbody tr:first-child input[name=pick]")
	b.click(t, "button[value=hold]")
	b.says(t, "1 recipient held")
	b.page(t, p.console+"/queue/messages?filter=state:held")
	b.says(t, "bob0@grey.example")
	b.click(t, "[data-all]")
	b.click(t, "button[value=release]")
	b.says(t, "1 recipient released")
	b.page(t, p.console+"/queue/messages")
	b.click(t, "[name=scope]")
	b.click(t, "button[value=retry]")
	b.says(t, "recipients are meant")
	b.photograph(t, "confirm")
	b.click(t, "button.primary")
	b.says(t, "to be tried now")

	b.click(t, "tbody a.subject")
	b.says(t, "Its life")
	b.says(t, "connection refused")
	b.photograph(t, "message")
	b.click(t, `dd a[href^="/sessions/"]`) // in which it came
	b.says(t, "RCPT TO:<bob")
	b.photograph(t, "message-session")
	b.page(t, p.console+"/explain?to=bob@grey.example&from=ann@example.org")
	b.says(t, "It is taken")
	b.photograph(t, "explain")
	b.page(t, p.console+"/find?q=invo*")
	b.finds(t, "Invoice 4711")
	b.photograph(t, "find")
	b.page(t, p.console+"/overview")
	b.says(t, "up for")
	b.until(t, `document.querySelectorAll("svg.plot polyline").length >= 6`)
	b.says(t, "Certificates")
	b.photograph(t, "overview")
	sessionsStory(t, b, p)
	choices(t, b, p)
	hands(t, b, p)
	b.page(t, p.console+"/find?q=invo*")
	message, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector("tbody a.subject").pathname`))
	if err != nil {
		t.Fatal(err)
	}
	slim(t, b, p.console, pagesOf(message))
	plain(t, b, p, message)
}

// sessionsStory is somebody who follows a live session, and cuts it.
func sessionsStory(t *testing.T, b *browser, p *program) {
	conn, err := net.Dial("tcp", p.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(line string) {
		if _, err := fmt.Fprintf(conn, "%s\r\n", line); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	say("HELO laptop.sohu.example")
	b.page(t, p.console+"/sessions")
	b.says(t, "laptop.sohu.example")
	b.photograph(t, "sessions")
	b.click(t, "tbody a.subject")
	b.says(t, "HELO laptop.sohu.example")
	say("MAIL FROM:<bob@sohu.example>")
	b.says(t, "MAIL FROM:<bob@sohu.example>") // it came without reloading
	b.photograph(t, "session")
	b.click(t, "button.danger")
	b.says(t, "The session was cut")
	for err == nil {
		_, err = in.ReadString('\n')
	}
}

// choices are language, appearance, keys and a narrow screen.
func choices(t *testing.T, b *browser, p *program) {
	b.page(t, p.console+"/queue/messages")
	b.click(t, "button[value=dark]")
	b.until(t, `document.documentElement.dataset.theme === "dark"`)
	b.until(t, `getComputedStyle(document.body).backgroundColor === "rgb(20, 22, 26)"`)
	b.page(t, p.console+"/queue/messages")
	b.until(t, `document.documentElement.dataset.theme === "dark"`)
	b.photograph(t, "queue-messages-dark")
	b.click(t, `button[value="zh-Hans"]`)
	b.says(t, "已推迟")
	b.until(t, `document.documentElement.lang === "zh-Hans"`)
	b.photograph(t, "queue-messages-dark-zh")
	b.keys(t, "gq")
	b.until(t, `location.pathname === "/queue"`)
	b.click(t, `button[value="en"]`)
	b.until(t, `document.documentElement.lang === "en"`)
	b.click(t, "button[value=light]")
	b.until(t, `document.documentElement.dataset.theme === "light"`)
	b.keys(t, "?")
	b.until(t, `document.getElementById("keys").open`)
	b.keys(t, "\x1b")
	b.narrow(t)
	b.page(t, p.console+"/queue/messages")
	b.says(t, "Invoice 4711")
	b.until(t, "document.documentElement.scrollWidth <= innerWidth") // nothing sticks out
	b.photograph(t, "queue-messages-narrow")
	b.wide(t)
}
