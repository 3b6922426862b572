package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/web"
)

// waiting is a message that is held, for orders to be about.
func waiting() admintest.Letter {
	return admintest.Letter{From: "ann@example.org", Subject: "Invoice", To: []admintest.Waiting{{To: "bob@grey.example", Held: "joe"}}}
}

// TestHosts is the matrix of names by which browsers call us: a name that is not ours is
// that of a page which has just begun to lead here (DNS rebinding).
func TestHosts(t *testing.T) {
	here := openWorld(t, web.Options{Hosts: func() []string { return []string{"mail.example.org"} }})
	for host, ours := range map[string]bool{
		"localhost": true, "localhost:8025": true, "LOCALHOST:1": true, "127.0.0.1": true, "127.0.0.1:8025": true, "[::1]:8025": true,
		"localhost.": true, "mail.example.org": true, "Mail.Example.Org:443": true,
		"evil.example": false, "evil.example:8025": false, "localhost.evil.example": false, "127.0.0.1.nip.io": false,
		"192.0.2.1": false, "mail.example.org.evil.example": false, "example.org": false, "xlocalhost": false, "127.0.0.2": false, "": false,
	} {
		checkHost(here, host, ours)
	}
}

// TestHostsElsewhere is the same for who comes from another machine: its own names are
// nobody's there.
func TestHostsElsewhere(t *testing.T) {
	far := openElsewhere(t, web.Options{
		Hosts: func() []string { return []string{"mx.example.org"} }, Door: doorFor(people{"ann": "x"}),
		Rights: func() web.Rights { return web.Rights{Operators: []string{"ann"}} },
	})
	for host, ours := range map[string]bool{
		"mx.example.org": true, "192.0.2.80:8025": true, "localhost": false, "127.0.0.1": false, "evil.example": false, "192.0.2.81": false,
	} {
		checkHost(far, host, ours)
	}
}

func checkHost(w *world, host string, ours bool) {
	w.t.Helper()
	if host == "" {
		host = " " // Go's client would fill in its own
	}
	for _, path := range []string{"/queue", "/static/x/console.css", "/live?of=/nowhere", "/settings"} {
		p := w.get(path, "Host", host)
		if strange := p.status == http.StatusMisdirectedRequest || p.status == http.StatusBadRequest && host == " "; strange == ours {
			w.t.Errorf("Host %q, %s: %d %.60s", host, path, p.status, p.text)
		}
		if !ours && strings.Contains(p.text, "Posthouse") {
			w.t.Errorf("Host %q is told about us: %s", host, p.text)
		}
	}
}

// TestCrossOrigin is the matrix of pages that make a browser ask us to do something.
func TestCrossOrigin(t *testing.T) {
	w := openWorld(t, web.Options{}, waiting())
	form := "verb=release&filter=&scope=all&confirmed=yes&back=/queue/messages"
	port := w.base[strings.LastIndexByte(w.base, ':'):]
	for _, c := range []struct {
		name   string
		header []string
		may    bool
	}{
		{"a page of another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, false},
		{"a page of another site, which hides its origin", []string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}, false},
		{"another port of this host", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"}, false},
		{"a browser without fetch metadata, another site", []string{"Origin", "https://evil.example"}, false},
		{"a browser without fetch metadata, another port", []string{"Origin", "http://127.0.0.1:1"}, false},
		{"a sandboxed frame", []string{"Origin", "null"}, false},
		{"an origin that is no URL", []string{"Origin", "evil"}, false},
		{"a page that plays the name of ours", []string{"Origin", "http://127.0.0.1" + port + ".evil.example"}, false},
		{"a page of ours, of an old browser", []string{"Origin", w.base}, true},
		{"a page of ours", []string{"Sec-Fetch-Site", "same-origin", "Origin", w.base}, true},
		{"what somebody typed", []string{"Sec-Fetch-Site", "none"}, true},
	} {
		for _, path := range []string{"/queue/orders", "/settings", "/logout"} {
			p := w.do("POST", path, form, c.header...)
			if refused := p.status == http.StatusForbidden; refused == c.may {
				t.Errorf("%s, %s: %d %.80s", c.name, path, p.status, p.words())
			}
		}
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH"} {
		if p := w.do(method, "/queue/orders", form, "Sec-Fetch-Site", "cross-site"); p.status != http.StatusForbidden {
			t.Errorf("%s from elsewhere: %d", method, p.status)
		}
	}
	if p := w.get("/queue/orders?" + form); p.status != http.StatusMethodNotAllowed && p.status != http.StatusNotFound {
		t.Errorf("an order by GET: %d", p.status)
	}
}

// TestHeaders: what every answer carries, whatever it is.
func TestHeaders(t *testing.T) {
	w := openWorld(t, web.Options{}, waiting())
	css := between(w.get("/queue").text, `href="`, `console.css"`) + "console.css"
	for _, path := range []string{"/queue", "/queue/messages", "/explain", "/nowhere", "/login", css, "/messages/zzz"} {
		h := w.get(path).header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q has no %q", path, policy, want)
			}
		}
		for _, never := range []string{"unsafe", "*", "http:", "https:", "data:", "blob:"} {
			if strings.Contains(policy, never) {
				t.Errorf("%s: the policy %q has %q", path, policy, never)
			}
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" ||
			h.Get("Referrer-Policy") != "same-origin" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
		if static := strings.HasPrefix(path, "/static"); !static && h.Get("Cache-Control") != "no-store" || static && !strings.Contains(h.Get("Cache-Control"), "immutable") {
			t.Errorf("%s may be kept: %s", path, h.Get("Cache-Control"))
		}
	}
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	for {
		i := strings.Index(s, after)
		j := strings.Index(s, before)
		if j < 0 || j > i {
			return s[:max(i, 0)]
		}
		s = s[j+len(before):]
	}
}

// TestPaths: no path leads out of the files of the program, or to a handler that it does
// not name.
func TestPaths(t *testing.T) {
	w := openWorld(t, web.Options{})
	for _, path := range []string{
		"/static/x/../../console.go", "/static/x/..%2f..%2fconsole.go", "/static/x/%2e%2e/console.go", "/static/x/console.go", "/static/x/",
		"/static/x/..", "/static//console.css", "/static/x/console.css%00", "/static/x/CONSOLE.CSS", "/static/x/templates/layout.html",
		"/messages/../../etc/passwd", "/messages/..%2f..%2fstatus", "/messages/%2e%2e/text", "/messages/a%00b",
		"//evil.example/", "/queue/orders/../../v1/reload", "/live?of=//evil.example/", "/live?of=/v1/status", "/live?of=/queue/orders", "/live?of=/live", "/live",
	} {
		p := w.get(path)
		if p.status < 400 {
			t.Errorf("%s: %d %.80s", path, p.status, p.words())
		}
		for _, secret := range []string{"package web", "root:", `"hostname"`, "{{define"} {
			if strings.Contains(p.text, secret) {
				t.Errorf("%s shows %q", path, secret)
			}
		}
	}
	for next, want := range map[string]string{
		"/queue": "/queue", "//evil.example": "/", "https://evil.example": "/", "/\\evil.example": "/", "javascript:alert(1)": "/", "/%0d%0aX:y": "/%0d%0aX:y", "": "/", "\\/x": "/",
	} {
		w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		if p := w.post("/settings", "back", next, "theme", "dark"); p.header.Get("Location") != want {
			t.Errorf("back to %q leads to %q, want %q", next, p.header.Get("Location"), want)
		}
	}
}

// TestBodies is the matrix of what is too large, or no form.
func TestBodies(t *testing.T) {
	w := openWorld(t, web.Options{}, waiting())
	own := []string{"Sec-Fetch-Site", "same-origin"}
	many := strings.Repeat("pick=x&", 30_000)
	for _, c := range []struct {
		name, body string
		header     []string
		status     int
	}{
		{"as long as it may be, and senseless", "verb=hold&pick=" + strings.Repeat("x", 250<<10), own, 400},
		{"too long", "verb=hold&filter=" + strings.Repeat("x", 300<<10), own, 413},
		{"far too long", "verb=hold&filter=" + strings.Repeat("x", 30<<20), own, 413},
		{"many fields", many, own, 400},
		{"no form", "%%%", own, 400},
		{"no order", "verb=shred&pick=1", own, 400},
		{"nothing picked", "verb=hold", own, 400},
		{"not an ID", "verb=hold&pick=to:*", own, 400},
		{"a filter that is none", "verb=hold&scope=all&confirmed=yes&filter=colour:red", own, 400},
		{"reroute to nowhere", "verb=reroute&scope=all&confirmed=yes&via=%0a", own, 400},
		{"a reason in two lines", "verb=hold&scope=all&confirmed=yes&reason=a%0ab", own, 400},
		{"another kind of body", `{"verb":"hold"}`, append([]string{"Content-Type", "application/json"}, own...), 400},
	} {
		p, err := try(w, c.body, c.header)
		if err == nil && p.status != c.status {
			t.Errorf("%s: %d, want %d: %.200s", c.name, p.status, c.status, p.words())
		}
		if err != nil && c.status != 413 { // who sends too much may be cut before the answer is read
			t.Errorf("%s: %v", c.name, err)
		}
	}
	page, err := w.house.Spool.List(t.Context(), query(""))
	if err != nil || len(page.Items) != 1 || page.Items[0].Place.String() != "held" {
		t.Errorf("the mail has changed: %+v, %v", page.Items, err)
	}
}

func try(w *world, body string, header []string) (page, error) {
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", w.base+"/queue/orders", strings.NewReader(body))
	if err != nil {
		return page{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(r)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	return page{status: resp.StatusCode}, nil
}
