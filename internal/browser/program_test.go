package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// programStory is a developer with the program as it is installed: what is sent appears
// while somebody looks, every tab of it opens, and it is released to a real address, which is
// one of another house.
func programStory(t *testing.T, b *browser) {
	real := run(t, "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0")
	config := filepath.Join(t.TempDir(), "main.hcl")
	text := fmt.Sprintf(`hostname = "mx.example.org"
data     = "data"
listen "inbox" { address = "127.0.0.1:0" }
route "out" {
  to        = "*"
  smarthost = %q
  tls       = "never"
}
console {
  address = "127.0.0.1:0"
  guests  = "operate"
}
`, real.smtp)
	if err := os.WriteFile(config, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	p := run(t, "--config", config)
	b.page(t, p.console)
	b.says(t, "No mail yet")
	b.says(t, "posthouse send --server "+p.smtp)
	p.send("jane@example.org", "Grüße, 你好", "--text", "Look at https://courier.example/track/4711", "--header", "X-Tag: lantern")
	b.says(t, "Grüße, 你好") // it came without reloading
	b.keys(t, "j\r")
	for tab, says := range map[string]string{
		"text": "track/4711", "headers": "lantern", "source": "X-Tag: lantern", "parts": "text/plain", "attachments": "Nothing is attached", "html": "no HTML",
		"transcript": "RCPT TO:<jane@example.org>", "authentication": "No host has written", "links": "https://courier.example/track/4711", "checks": "",
	} {
		b.click(t, `.tabs a[href*="tab=`+tab+`"]`)
		b.until(t, `document.querySelector('.tabs [aria-current][href*="tab=`+tab+`"]')`)
		b.says(t, says)
	}
	b.until(t, `document.querySelector(".release [name=to]").value = "ann@customer.example"`)
	b.click(t, ".release button")
	b.says(t, "Sent on to ann@customer.example")
	b.photograph(t, "released")
	b.page(t, real.console+"/inbox")
	b.says(t, "Grüße, 你好")
	b.click(t, "tbody a.subject")
	b.says(t, "ann@customer.example")
	b.page(t, p.console+"/find?q=ann@customer.example")
	b.finds(t, "Relayed")
	b.page(t, p.console+"/inbox?q=subject:nothing")
	b.says(t, "No message fits")
	slim(t, b, p.console, []string{"/inbox", "/inbox?q=subject:nothing", "/inbox?q=colour:", "/overview"})
}
