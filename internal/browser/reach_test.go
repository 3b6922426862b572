package browser

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// pagesOf are all that a house has, for somebody who has found a message there.
func pagesOf(message string) []string {
	return []string{
		"/queue", "/queue/messages", "/queue/messages?filter=colour:red", message, "/find", "/find?q=grey.example", "/find?q=nothing", "/sessions", "/overview",
		"/explain", "/explain?to=bob@grey.example&from=ann@sina.example", "/nowhere",
	}
}

// fits is that nothing sticks out: neither of the page nor of what is in it. What is as wide
// as its text (a source, a frame) has a bar of its own.
const fits = `[document.documentElement, ...document.querySelectorAll("main, .side, .side nav, .card, .notice, table, form")].every((e) => e.scrollWidth <= e.clientWidth + 1)`

// slim looks at pages on the narrowest telephone, in each language if all tests run whole.
func slim(t *testing.T, b *browser, base string, pages []string) {
	b.do(t, chromedp.EmulateViewport(360, 740))
	for _, language := range []string{"zh-Hans", "en"} {
		if language != "en" && !whole() {
			continue
		}
		b.page(t, base+pages[0])
		b.until(t, `document.documentElement.lang === "`+language+`" || (document.querySelector("button[value=`+language+`]").click(), false)`)
		for _, path := range pages {
			b.page(t, base+path)
			b.until(t, `document.querySelector("main h1, main h2") && innerWidth === 360`)
			wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(`+fits+`) ? "" : [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 80)).slice(0, 4).join("\n")+" "`))
			if err != nil || wide != "" {
				t.Errorf("%s in %s does not fit (%v): %s", path, language, err, wide)
			}
		}
	}
	b.wide(t)
}

// hands is somebody who has no mouse: all that can be used is reached, and is seen to be.
func hands(t *testing.T, b *browser, p *program) {
	b.page(t, p.console+"/queue/messages")
	b.says(t, "Invoice 4711")
	b.keys(t, "\t")
	b.until(t, `document.activeElement.className === "skip" && document.activeElement.getBoundingClientRect().width > 20`)
	b.keys(t, "\r")
	b.until(t, `location.hash === "#main"`)
	b.keys(t, "\t")
	b.until(t, `document.activeElement.closest("main")`) // and not in the side any more
	reached := map[string]bool{}
	for range 60 {
		is, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(() => { const e = document.activeElement, s = getComputedStyle(e);
			return (e.name || e.nodeName) + (e.value ? "=" + e.value : "") + (e !== document.body && (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) ? " UNSEEN" : ""); })()`))
		if err != nil || strings.HasSuffix(is, "UNSEEN") {
			t.Fatalf("the focus is not seen on %s (%v)", is, err)
		}
		if is == "BODY" { // the end of the page
			break
		}
		reached[is] = true
		b.keys(t, "\t")
	}
	for _, want := range []string{"filter", "SUMMARY", "verb=hold", "verb=drop", "scope=all"} {
		if !reached[want] {
			t.Errorf("no tab leads to %s, but to %v", want, reached)
		}
	}
	b.page(t, p.console+"/queue/messages")
	b.keys(t, "j")
	b.until(t, `document.activeElement.matches("tr.here [data-open]")`)
	b.keys(t, "\r")
	b.until(t, `location.pathname.startsWith("/messages/")`)
	b.keys(t, "go")
	b.until(t, `location.pathname === "/overview"`)
}

// plain is somebody whose browser runs no scripts: all is read, and orders are given.
func plain(t *testing.T, b *browser, p *program, message string) {
	b.scripts(t, false)
	for _, path := range pagesOf(message) {
		b.page(t, p.console+path)
		b.until(t, `document.querySelector("main h1").checkVisibility() && document.querySelectorAll(".side nav a").length >= 5`)
	}
	b.page(t, p.console+"/queue/messages")
	b.until(t, `!document.documentElement.dataset.heard && document.querySelector("time, td")`)
	b.press(t, "tbody tr:first-child input[name=pick]")
	b.press(t, "button[value=hold]")
	b.says(t, "1 recipient held")
	b.page(t, p.console+"/queue/messages?filter=state:held")
	b.press(t, "input[name=scope]")
	b.press(t, "button[value=release]")
	b.says(t, "Release this mail?")
	b.press(t, "button.primary")
	b.says(t, "1 recipient released")
	b.press(t, "button[name=theme][value=dark]")
	b.until(t, `document.documentElement.dataset.theme === "dark"`) // it was light: this is the page that came of it
	b.press(t, ".help summary")
	b.says(t, "state:")
	b.scripts(t, true)
}

// scripts lets the scripts of pages run, or not.
func (b *browser) scripts(t *testing.T, run bool) {
	t.Helper()
	b.do(t, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run})
		return chromedp.Void{}, err
	})
}

// press clicks with the mouse, where no script can do it. While the page changes to another
// one, what was found is gone before it is clicked, and is looked for again.
func (b *browser) press(t *testing.T, selector string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		b.seen(t)
		err := chromedp.Do(ctx, chromedp.Click(selector))
		if err == nil {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s cannot be pressed: %v", selector, err)
		}
	}
}
