package web_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/admin/web"
)

func staff() web.Options {
	return web.Options{
		Door:  doorFor(people{"ann": "lion", "vic": "tiger", "bob": "bear"}),
		Hosts: func() []string { return []string{"mx.example.org"} },
		Rights: func() web.Rights {
			return web.Rights{Guests: web.Operator, Operators: []string{"Ann"}, Viewers: []string{"vic"}}
		},
	}
}

// TestRights: from elsewhere nobody sees anything before a login; who views does not
// order; who has no rights does not come in.
func TestRights(t *testing.T) {
	w := openElsewhere(t, staff(), some()...)
	for _, path := range []string{"/", "/queue", "/queue/messages", "/explain?to=a@b.example", "/messages/x", "/messages/x/text"} {
		if p := w.get(path); !strings.HasPrefix(p.path, "/login") || strings.Contains(p.text, "Invoice") {
			t.Errorf("a stranger who asks for %s comes to %s", path, p.path)
		}
	}
	if p := w.get("/live?of=/queue"); !strings.HasPrefix(p.path, "/login") {
		t.Errorf("a stranger may look live: %s", p.path)
	}
	if p := w.post("/queue/orders", "verb", "hold", "scope", "all", "confirmed", "yes"); !strings.HasPrefix(p.path, "/login") {
		t.Errorf("a stranger's order comes to %s", p.path)
	}
	w.says(w.post("/login", "name", "ann", "password", "wrong"), 403, "not right")
	w.says(w.post("/login", "name", "nobody", "password", "lion"), 403, "not right")
	w.says(w.post("/login", "name", "bob", "password", "bear"), 403, "no rights")

	w.says(w.post("/login", "name", "vic", "password", "tiger", "next", "/queue/messages"), 200, "Invoice 4711", "vic")
	w.says(w.post("/queue/orders", "verb", "hold", "scope", "all", "confirmed", "yes"), 403, "You may not")
	if p := w.get("/queue/messages"); strings.Contains(p.text, `name="verb"`) {
		t.Error("a viewer is offered orders")
	}
	w.says(w.get("/messages/x/text"), 403)
	w.says(w.post("/logout"), 200, "Log in")

	w.says(w.post("/login", "name", "ANN", "password", "lion", "next", "/queue/messages"), 200, "Invoice 4711")
	w.says(w.post("/queue/orders", "verb", "hold", "scope", "all", "filter", "dest:grey.example", "confirmed", "yes", "back", "/queue/messages"), 200, "1 recipient held")
	w.says(w.get("/messages/"+idOf(w, "Invoice")), 200, "by ann")
}

func idOf(w *world, subject string) string {
	w.t.Helper()
	page, err := w.house.Spool.List(w.t.Context(), query("subject:*"+subject+"*"))
	if err != nil || len(page.Items) == 0 {
		w.t.Fatal(err)
	}
	return page.Items[0].Envelope.ID.String()
}

// TestCookie: what a login leaves with the browser.
func TestCookie(t *testing.T) {
	w := openElsewhere(t, staff())
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	set := w.post("/login", "name", "ann", "password", "lion", "next", "//evil.example").header
	if set.Get("Location") != "/" {
		t.Errorf("a login leads to %q", set.Get("Location"))
	}
	cookie := set.Get("Set-Cookie")
	for _, want := range []string{"__Host-posthouse=", "Path=/", "HttpOnly", "Secure", "SameSite=Strict"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q has no %q", cookie, want)
		}
	}
	if strings.Contains(cookie, "Domain") {
		t.Errorf("the cookie %q is for others too", cookie)
	}
	value := between(cookie, "__Host-posthouse=", ";")
	w.says(w.get("/queue"), 200)
	w.post("/logout")
	if p := w.get("/queue", "Cookie", "__Host-posthouse="+value); p.status == 200 {
		t.Error("a session goes on after its end")
	}
	for _, forged := range []string{"", "x", strings.Repeat("A", 26), value + "A"} {
		if p := w.get("/queue", "Cookie", "__Host-posthouse="+forged); p.status == 200 {
			t.Errorf("the cookie %q lets somebody in", forged)
		}
	}
}

// TestGuessing: passwords are tried so often and no more, and then the right one does not
// help.
func TestGuessing(t *testing.T) {
	w := openElsewhere(t, staff())
	for range 10 {
		w.says(w.post("/login", "name", "ann", "password", "guess"), 403, "not right")
	}
	w.says(w.post("/login", "name", "ann", "password", "lion"), 403, "Too many")
}

// TestNoTLS: from elsewhere nobody is answered who comes without TLS.
func TestNoTLS(t *testing.T) {
	w := newWorld(t, staff())
	l := listen(t)
	w.base = "http://" + l.Addr().String()
	w.serve(elsewhere{l}, nil)
	for _, path := range []string{"/login", "/queue"} {
		if p := w.get(path, "Host", "mx.example.org"); p.status != http.StatusMisdirectedRequest {
			t.Errorf("%s without TLS: %d", path, p.status)
		}
	}
}

// TestNobody: a console to which nobody gave rights shows nothing to anybody.
func TestNobody(t *testing.T) {
	w := openWorld(t, web.Options{Rights: func() web.Rights { return web.Rights{} }}, some()...)
	w.says(w.get("/queue"), 403, "You may not")
	w.says(w.get("/login"), 403)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
