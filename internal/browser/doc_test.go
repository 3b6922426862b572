// Package browser looks at the console as people do: with a real browser (Debian's
// chromium), which a test steers. There is one browser for all of the tests.
//
//	inbox_test.go    a developer whose program sends mail
//	program_test.go  the same with the program as it is installed, and a message released
//	console_test.go  an operator who finds a stuck message and moves it
//	reach_test.go    narrow screens, no mouse, no scripts
//	hostile_test.go  a thousand pieces of script in all that is shown: none runs
//
// Without chromium the tests are skipped, and say so; with POSTHOUSE_TEST_ALL set that is
// a failure. `go test -artifacts` keeps the photographs.
package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/posthouse/posthouse/internal/installed"
)

// patience is how long a fact is waited for: chromium is slow on a busy machine.
const patience = 3 * time.Minute

// TestBrowser is all of it, in one browser.
func TestBrowser(t *testing.T) {
	b := open(t)

	t.Run("program", func(t *testing.T) { programStory(t, b) })
	t.Run("inbox", func(t *testing.T) { inboxStory(t, b) })
	t.Run("hostile", func(t *testing.T) { hostileStory(t, b) })
	t.Run("queue", func(t *testing.T) { queueStory(t, b) })
}

// whole reports whether tests run that take long.
func whole() bool { return os.Getenv("POSTHOUSE_TEST_ALL") != "" }

// browser is a chromium with one tab.
type browser struct {
	t   *testing.T // that it was opened for
	ctx context.Context
}

// open starts chromium. What it says about sandboxes, GPUs and networks is not for a
// container, where tests run as root.
func open(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if whole() {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("lang", "en"))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800), focused); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	return &browser{t, ctx}
}

// focused makes the page the one that is typed into, whatever the machine's windows are.
func focused(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
	_, err = cdp.Call(ctx, target, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return none, err
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// page goes to an address and waits until it is there.
func (b *browser) page(t *testing.T, address string) {
	t.Helper()
	b.do(t, chromedp.Navigate(address))
}

// until waits for a fact about the page, an expression of JavaScript. While it changes to another one nothing can be
// asked, which is no answer.
func (b *browser) until(t *testing.T, fact string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+fact+")"))
		if err == nil && is {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("location + ': ' + document.body.innerText"))
			t.Fatalf("it did not come to be that %s (%v): %s", fact, err, text)
		}
	}
}

// says waits until the page says something.
func (b *browser) says(t *testing.T, text string) {
	t.Helper()
	b.until(t, "document.body.innerText.includes("+strconv.Quote(text)+")")
}

// finds asks for the page again until it says something: the search may be behind.
func (b *browser) finds(t *testing.T, text string) {
	t.Helper()
	b.until(t, `document.readyState === "complete" && (document.body.innerText.includes(`+strconv.Quote(text)+`) || (location.reload(), false))`)
}

// click waits for an element that can be seen, and clicks on it, both at one instant: a
// page that is live may be drawn anew at any other.
func (b *browser) click(t *testing.T, selector string) {
	t.Helper()
	at := strconv.Quote(selector)
	b.until(t, "document.querySelector("+at+")?.checkVisibility() && (document.querySelector("+at+").click(), true)")
}

// photograph keeps a picture of the page.
func (b *browser) photograph(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if len(png) < 5000 {
		t.Errorf("the photograph of %s has %d octets: is there anything on it?", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o666); err != nil {
		t.Fatal(err)
	}
}

// seen waits until there is something to be seen: before that chromium drops what is typed
// and where the mouse is pressed.
func (b *browser) seen(t *testing.T) {
	t.Helper()
	b.until(t, `performance.getEntriesByName("first-contentful-paint").length`)
}

// keys types. A key of which the page has not heard is typed again: on a busy machine
// chromium drops some, and answers all the same when it has done with them.
func (b *browser) keys(t *testing.T, keys string) {
	t.Helper()
	for _, key := range keys {
		for deaf := true; deaf; {
			b.seen(t)
			b.until(t, `(window.heardKeys ?? addEventListener("keydown", () => window.heardKeys++, true), window.heardKeys = 0) === 0`)
			b.do(t, chromedp.KeyEvent(string(key)))
			is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`window.heardKeys === 0`))
			deaf = err == nil && is // where another page came, it was heard
		}
	}
}

func TestMain(m *testing.M) { os.Exit(installed.Run(m)) }

// narrow makes the screen one of a telephone, wide makes it what it was.
func (b *browser) narrow(t *testing.T) { t.Helper(); b.do(t, chromedp.EmulateViewport(390, 844)) }

func (b *browser) wide(t *testing.T) { t.Helper(); b.do(t, chromedp.EmulateViewport(1280, 800)) }
