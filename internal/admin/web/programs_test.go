package web_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

func basic(login string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(login)) }

// TestPrograms: programs ask the control API where browsers see its pages, by the same rights; and
// whether the house is well is told to everybody.
func TestPrograms(t *testing.T) {
	w := openElsewhere(t, staff(), some()...)
	id := idOf(w, "Invoice")
	for _, c := range []struct {
		login, method, path string
		status              int
		says                string
	}{
		{"", "GET", "/livez", 200, "ok"},
		{"", "GET", "/readyz", 200, "ok"},
		{"", "GET", "/metrics", 403, "bring the name and the password"},
		{"", "GET", "/v1/queue", 403, "you may not"},
		{"", "POST", "/v1/queue/orders", 403, "you may not"},
		{"vic:wrong", "GET", "/v1/queue", 403, "not right"},
		{"bob:bear", "GET", "/v1/queue", 403, "you may not"},
		{"vic:tiger", "GET", "/v1/queue", 200, "Invoice"},
		{"vic:tiger", "GET", "/metrics", 200, "posthouse_accepted_messages_total"},
		{"vic:tiger", "GET", "/v1/openapi.json", 200, "/api/v1/inboxes"},
		{"vic:tiger", "GET", "/v1/nothing", 404, "there is no GET"},
		{"vic:tiger", "GET", "/v1/messages/" + id + "/text", 403, "you may not"},
		{"vic:tiger", "POST", "/v1/queue/orders", 403, "you may not"},
		{"ann:lion", "GET", "/v1/messages/" + id + "/text", 200, "It rains."},
		{"ann:lion", "POST", "/v1/queue/orders", 200, `"changed":1`},
	} {
		var header []string
		if c.login != "" {
			header = []string{"Authorization", basic(c.login)}
		}
		p := w.do(c.method, c.path, `{"verb":"hold","filter":"dest:grey.example"}`, header...)
		if p.status != c.status || !strings.Contains(p.text, c.says) {
			t.Errorf("%q: %s %s: %d, want %d and %q: %.300s", c.login, c.method, c.path, p.status, c.status, c.says, p.text)
		}
		if p.header.Get("WWW-Authenticate") != "" || p.header.Get("Set-Cookie") != "" {
			t.Errorf("%s %s: a browser would keep the login", c.method, c.path)
		}
	}
	w.says(w.do("POST", "/v1/queue/orders", "{}", "Authorization", basic("ann:lion"), "Sec-Fetch-Site", "cross-site"), 403, "does not come from a page of this console")
	w.says(w.get("/v1/messages/"+id, "Authorization", basic("ann:lion")), 200, `"by":"ann"`)
}

// TestProgramsGuess: names and passwords are tried so often and no more.
func TestProgramsGuess(t *testing.T) {
	w := openElsewhere(t, staff())
	for range 10 {
		w.says(w.get("/v1/status", "Authorization", basic("vic:guess")), 403, "not right")
	}
	w.says(w.get("/v1/status", "Authorization", basic("vic:tiger")), 403, "not right")
}
