package browser

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/posthouse/posthouse/internal/admin/admintest"
)

// perLetter is how many of them one message has in each of its fields.
const perLetter = 100

// perHouse is how many of them one page of a house has in each field of a list.
const perHouse = 50

// hostileLetter has payloads in all that is shown of it.
func hostileLetter(some []string) string {
	word := func(s string) string { return "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?=" }
	var head, parts, body, words strings.Builder
	for i, p := range some {
		flat := strings.NewReplacer("\r", " ", "\n", " ", "\x00", "").Replace(p)
		fmt.Fprintf(&head, "X-H%d: %s\n", i, flat)
		fmt.Fprintf(&parts, "--b\nContent-Type: application/x-%d; name=\"%s\"\nContent-ID: <%s>\nContent-Disposition: attachment; filename=\"%s\"\n\n%s\n", i, word(p), flat, word(p), flat)
		fmt.Fprintf(&body, "<div>%s</div><a href=\"https://x.example/%s\">%s</a>\n", p, url.PathEscape(p), p)
		fmt.Fprintf(&words, "%s https://x.example/%s\n", flat, flat)
	}
	return "Subject: " + word(some[0]) + "\nFrom: " + word(some[1]) + " <a@sina.example>\nTo: " + word(some[2]) + " <b@example.org>\n" + head.String() +
		"Authentication-Results: x.example; spf=pass (" + strings.ReplaceAll(some[3], "\n", " ") + ") reason=\"" + strings.NewReplacer("\"", "", "\r", "", "\n", "").Replace(some[4]) + "\"\n" +
		"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n" + words.String() +
		"\n--b\nContent-Type: text/html; charset=utf-8\n\n" + body.String() + parts.String() + "--b--\n"
}

// hostileStory shows a thousand payloads, and wants none to run; not even in the HTML that
// is for the frame, which is looked at as a page of its own too, where the browser tells
// what it does.
func hostileStory(t *testing.T, b *browser) {
	var hits atomic.Int64
	b.watch(t, &hits)
	all := admintest.Markup()
	if len(all) < 1000 {
		t.Fatalf("there are only %d payloads", len(all))
	}
	// Where nothing guards, they do run: else the rest of this test would show nothing.
	naked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<body>"+all[0]+all[1]+all[2])
	}))
	defer naked.Close()
	b.page(t, naked.URL)
	for end := time.Now().Add(patience); hits.Load() < 3; b.until(t, "true") {
		if time.Now().After(end) {
			t.Fatalf("only %d payloads run where they should", hits.Load())
		}
	}
	hits.Store(0)

	d := openDesk(t)
	var letters []string
	for len(all) >= perLetter {
		m := d.put(t, all[0], "b@example.org", hostileLetter(all[:perLetter]))
		letters, all = append(letters, m.ID.String()), all[perLetter:]
	}
	paths := []string{"/inbox"}
	for i, id := range letters {
		q := url.QueryEscape(admintest.Markup()[i*perLetter])
		shown := []string{"?tab=html", "/html", "?tab=text", "?tab=headers", "?tab=source", "?tab=parts", "?tab=attachments", "?tab=links", "?tab=transcript", "?tab=authentication", "?released=" + q}
		for n, what := range shown {
			if n < 2 || turn(n, i) {
				paths = append(paths, "/inbox/"+id+what)
			}
		}
		for n, path := range []string{"/inbox?q=" + q, "/inbox?in=" + q, "/" + url.PathEscape(admintest.Markup()[i*perLetter])} {
			if turn(n, i) {
				paths = append(paths, path)
			}
		}
	}
	for _, path := range paths {
		b.page(t, d.base+path)
		b.until(t, `document.readyState === "complete"`)
		if n := hits.Load(); n > 0 {
			t.Fatalf("%s: %d payloads ran", path, n)
		}
	}
	hostileHouse(t, b, &hits)
	b.until(t, "true") // what was under way has been told by now
	if n := hits.Load(); n > 0 {
		t.Errorf("%d payloads ran", n)
	}
}

// turn reports whether a page is shown of a letter: each is if all tests run whole, and
// otherwise of each third letter.
func turn(page, letter int) bool { return whole() || page%3 == letter%3 }

// hostileHouse shows a house in which all that the control API tells is markup; and then, on
// a page that is live, other markup.
func hostileHouse(t *testing.T, b *browser, hits *atomic.Int64) {
	api, step := admintest.NewHostile(perHouse), int64(perHouse)
	if !whole() {
		step *= 5 // every fifth page
	}
	d := openDeskOver(t, api)
	for _, path := range []string{"/queue", "/queue/messages", "/messages/x", "/sessions", "/sessions/1", "/find?q=x", "/overview", "/explain?to=a@b.example"} {
		for api.From.Store(0); api.From.Load() < int64(len(admintest.Markup())); api.From.Add(step) {
			b.page(t, d.base+path)
			b.until(t, `document.readyState === "complete" && document.body.innerText.includes("`+admintest.Ran+`")`)
			if n := hits.Load(); n > 0 {
				t.Fatalf("%s, from piece %d on: %d payloads ran", path, api.From.Load(), n)
			}
		}
	}
	b.page(t, d.base+"/sessions")
	b.until(t, "document.documentElement.dataset.heard >= 1")
	for api.From.Store(0); api.From.Load() < int64(len(admintest.Markup())); api.From.Add(step) {
		b.until(t, fmt.Sprintf("document.body.innerText.includes(%q)", flat(admintest.Markup()[api.From.Load()])))
	}
}

// flat is how a browser shows a text: without line breaks and what it replaces.
func flat(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "", "\x00", "\uFFFD").Replace(s))
}

// watch counts the calls of a function that every page has.
func (b *browser) watch(t *testing.T, hits *atomic.Int64) {
	t.Helper()
	calls := chromedp.Events(b.ctx, runtime.BindingCalled)
	b.do(t, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, runtime.AddBinding, runtime.AddBindingParams{Name: admintest.Ran})
		return chromedp.Void{}, err
	})
	go func() {
		for _, err := range calls {
			if err != nil {
				return // the browser has ended
			}
			hits.Add(1)
		}
	}()
}
