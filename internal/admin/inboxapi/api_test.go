package inboxapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/admin/inboxapi"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/inbox/door"
	"github.com/posthouse/posthouse/smtp"
)

// world is an API with a store behind it.
type world struct {
	*testing.T
	store    *inbox.Store
	api      *inboxapi.API
	server   *httptest.Server
	released []inboxapi.Release
}

func begin(t *testing.T) *world {
	t.Helper()
	store, err := inbox.Open(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, store: store}
	w.api = inboxapi.New(inboxapi.Options{
		Store: store, Scenarios: new(door.Stage), Version: "test",
		Release: func(_ context.Context, r inboxapi.Release) (inboxapi.Released, error) {
			if r.To[0].Domain() == "refused.test" {
				return inboxapi.Released{}, &inboxapi.ReleaseError{What: "nobody there", Hint: "ask another"}
			}
			w.released = append(w.released, r)
			return inboxapi.Released{ID: r.Message.ID, Released: r.To}, nil
		},
	})
	w.server = httptest.NewServer(w.api)
	t.Cleanup(func() {
		w.server.Close()
		_ = store.Close()
	})
	return w
}

const source = "From: Bob <bob@sohu.com>\r\nTo: Jane <jane@example.org>\r\nCc: cc@example.org\r\nSubject: Welcome\r\nMIME-Version: 1.0\r\n" +
	"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n" +
	"<p onclick=evil()>Your code is 4711-0815, <a href=https://shop.example/>go</a><script>evil()</script><img src=http://spy.example/></p>\r\n" +
	"--b\r\nContent-Type: text/html; name=evil.html\r\nContent-Disposition: attachment\r\n\r\n<script>\r\n--b--\r\n"

func (w *world) put(name string) string {
	w.Helper()
	from, _ := smtp.ParseMailbox("bounce@sohu.com")
	to, _ := smtp.ParseMailbox("jane+hidden@example.org")
	m, err := w.store.Put(w.Context(), inbox.Arrival{Inbox: name, From: from, To: []smtp.Path{to}, Dialogue: []inbox.Line{{Who: inbox.Client, Text: "QUIT"}}}, strings.NewReader(source))
	if err != nil {
		w.Fatal(err)
	}
	return m.ID.String()
}

// ask sends a request and returns its status and what is answered.
func (w *world) ask(method, path, body string) (*http.Response, string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		w.Fatal(err)
	}
	return answer, string(text)
}

// wants asks, and holds the answer against a status and patterns.
func (w *world) wants(method, path, body string, status int, patterns ...string) string {
	w.Helper()
	answer, text := w.ask(method, path, body)
	if answer.StatusCode != status {
		w.Errorf("%s %s: status %d, want %d: %.300s", method, path, answer.StatusCode, status, text)
	}
	if answer.Header.Get("X-Content-Type-Options") != "nosniff" && status == 200 {
		w.Errorf("%s %s: a browser may guess what it is", method, path)
	}
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			w.Errorf("%s %s: no %s in\n%.2000s", method, path, p, text)
		}
	}
	return text
}

// TestMessages goes through what one does with a message.
func TestMessages(t *testing.T) {
	w := begin(t)
	id := w.put("Shop/a b")
	w.put("other")
	at := "/api/v1/inbox/shop%2Fa%20b/messages"
	w.wants("GET", "/api/v1/inboxes", "", 200, `"name": "other"`, `"name": "shop/a b"`, `"unread": 1`)
	w.wants("GET", at, "", 200, `"found": 1`, `"more": false`, `"subject": "Welcome"`)
	w.wants("GET", at+"?q=from:bob+-is:read&limit=1", "", 200, `"found": 1`)
	w.wants("GET", at+"?q=from:", "", 400, "wants a value")
	w.wants("GET", at+"?limit=x", "", 400, "limit is a number")
	w.wants("GET", at+"?before=x", "", 400, "before: ")
	w.wants("GET", "/api/v1/inbox/*/messages", "", 200, `"found": 2`)
	w.wants("GET", "/api/v1/inbox/nowhere/messages", "", 200, `"found": 0`)

	w.wants("GET", at+"/"+id, "", 200, `"4711-0815"`, `"url": "https://shop.example/"`, `"name": "evil.html"`, `"what": "scripts and event handlers are removed"`)
	w.wants("GET", at+"/"+id+"/source", "", 200, "^From: Bob")
	w.wants("GET", at+"/"+id+"/transcript", "", 200, `"who": "C"`, `"QUIT"`)
	w.wants("GET", "/api/v1/inbox/other/messages/"+id, "", 404, "no such message")
	w.wants("GET", at+"/nonsense", "", 404)
	w.wants("PATCH", at+"/"+id, `{"read":true}`, 200, `"read": true`)
	w.wants("PATCH", at+"/"+id, `{"read":`, 400, "not the JSON")
	w.wants("PATCH", at+"/"+id, `{"read":"`+strings.Repeat("x", 2<<20)+`"}`, 413, "too large")
	w.wants("GET", at+"?q=is:read", "", 200, `"found": 1`)
	w.wants("DELETE", at+"/"+id, "", 200, `"deleted": 1`)
	w.wants("DELETE", at+"/"+id, "", 404)
	w.wants("DELETE", "/api/v1/inbox/*/messages?q=subject:nothing", "", 200, `"deleted": 0`)
	w.wants("DELETE", "/api/v1/inbox/*/messages", "", 200, `"deleted": 1`)
	w.wants("POST", "/api/v1/inboxes", "", 404)
}

// TestNothingRuns: whatever is given to a browser, nothing in it runs: HTML is made safe and stands
// under a policy, and what is attached is a download of no type.
func TestNothingRuns(t *testing.T) {
	w := begin(t)
	at := "/api/v1/inbox/inbox/messages/" + w.put("")
	answer, html := w.ask("GET", at+"/html", "")
	policy := answer.Header.Get("Content-Security-Policy")
	if strings.Contains(html, "script") || strings.Contains(html, "onclick") || strings.Contains(html, "spy.example") || !strings.Contains(html, "4711-0815") {
		t.Error(html)
	}
	if !strings.HasPrefix(policy, "sandbox allow-popups") || strings.Contains(policy, "script") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "https:") {
		t.Error(policy)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("it is a page of ours: %s", kind)
	}
	if _, html := w.ask("GET", at+"/html?remote=1", ""); !strings.Contains(html, "http://spy.example/") {
		t.Error(html)
	}
	for _, path := range []string{"/part/2", "/part/0", "/source"} {
		answer, _ := w.ask("GET", at+path, "")
		kind, how := answer.Header.Get("Content-Type"), answer.Header.Get("Content-Disposition")
		if strings.HasPrefix(kind, "text/html") || !strings.HasPrefix(how, "attachment") || !strings.Contains(answer.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %s, %s", path, kind, how)
		}
	}
	w.wants("GET", at+"/part/7", "", 404, "no such part")
}

// TestABrowserShowsAFrame: where a browser would show a message, it is shown a page of ours in which
// the message is a frame, without an origin, and only that.
func TestABrowserShowsAFrame(t *testing.T) {
	w := begin(t)
	id := w.put("")
	for _, path := range []string{"/api/v1/inbox/inbox/messages/" + id + "/html", "/view/" + id + ".html"} {
		for dest, page := range map[string]bool{"document": true, "iframe": true, "empty": false, "script": false, "image": false} {
			r, _ := http.NewRequest("GET", w.server.URL+path, nil)
			r.Header.Set("Sec-Fetch-Dest", dest)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if is := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html"); is != page {
				t.Errorf("%s for %s: %s", path, dest, answer.Header.Get("Content-Type"))
			}
			if !page {
				continue
			}
			before, message, _ := strings.Cut(string(body), `srcdoc="`)
			message, after, _ := strings.Cut(message, `"`)
			if strings.Contains(before+after, "4711") || strings.ContainsAny(message, "<>") || !strings.Contains(message, "4711-0815") ||
				!strings.Contains(before, `sandbox="allow-popups `) || strings.Contains(before, "same-origin") || after != "></iframe>" {
				t.Errorf("%s", body)
			}
			if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox ") || strings.Contains(policy, "script") {
				t.Error(policy)
			}
		}
	}
}

// TestWait: a message that comes is told at once, and none in 408.
func TestWait(t *testing.T) {
	w := begin(t)
	first := w.put("a")
	w.wants("GET", "/api/v1/inbox/a/wait?to=JANE&subject=welcome&from=bob", "", 200, first, `"codes"`)
	w.wants("GET", "/api/v1/inbox/a/wait?to=nobody&timeout=1ms", "", 408, "no such message came within 1ms")
	w.wants("GET", "/api/v1/inbox/a/wait?timeout=soon", "", 400, "timeout is a time")
	w.wants("GET", "/api/v1/inbox/a/wait?since=x", "", 400, "since: ")
	heard := make(chan string, 1)
	go func() {
		answer, err := http.Get(w.server.URL + "/api/v1/inbox/a/wait?since=" + first)
		if err != nil {
			heard <- err.Error()
			return
		}
		defer answer.Body.Close()
		var m struct{ ID string }
		if err := json.NewDecoder(answer.Body).Decode(&m); err != nil {
			heard <- err.Error()
		}
		heard <- m.ID
	}()
	second := w.put("a")
	if got := <-heard; got != second {
		t.Errorf("heard %s, want %s", got, second)
	}
}

// listen opens a stream, and returns what reads its events: ID and data of the next.
func (w *world) listen(path, last string) (next func() (id, data string), end func()) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		w.Fatalf("%s is %s", path, kind)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Scan() // a comment: it has begun
	return func() (id, data string) {
		for lines.Scan() && (lines.Text() != "" || id == "") {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id = value
			case "data":
				data = value
			}
		}
		return id, data
	}, func() { cancel(); answer.Body.Close() }
}

// TestEvents: a stream tells of each message that comes and fits, and who comes back to it misses nothing.
func TestEvents(t *testing.T) {
	w := begin(t)
	before := w.put("a")
	next, end := w.listen("/api/v1/inbox/a/events?q=subject:welcome", "")
	defer end()
	w.put("other")
	first := w.put("a")
	if id, data := next(); id != first || !strings.Contains(data, `"inbox":"a"`) || !strings.Contains(data, `"subject":"Welcome"`) {
		t.Errorf("%s is told, want %s: %s", id, first, data)
	}
	again, endAgain := w.listen("/api/v1/inbox/a/events", before)
	defer endAgain()
	if id, _ := again(); id != first {
		t.Errorf("%s is told, want %s", id, first)
	}
	w.wants("GET", "/api/v1/inbox/a/events?since=x", "", 400, "since: ")
	w.wants("GET", "/api/v1/inbox/a/events?q=from:", "", 400, "wants a value")
	w.api.Close()
	if id, _ := next(); id != "" {
		t.Errorf("%s is told behind the end", id)
	}
	w.wants("GET", "/api/v1/inbox/a/wait?to=nobody", "", 503, "the house is closing")
}

// TestRelease: a message goes to whom it is released, and what was refused is told.
func TestRelease(t *testing.T) {
	w := begin(t)
	at := "/api/v1/inbox/a/messages/" + w.put("a") + "/release"
	w.wants("POST", at, `{"to":["real@example.org"]}`, 200, "real@example.org")
	if len(w.released) != 1 || w.released[0].From.String() != "bounce@sohu.com" {
		t.Fatalf("%+v", w.released)
	}
	f, err := w.released[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil || string(text) != source {
		t.Errorf("%q, %v", text, err)
	}
	w.wants("POST", at, `{"to":["x@refused.test"]}`, 502, "nobody there", `"hint": "ask another"`)
	w.wants("POST", at, `{"to":[]}`, 400, "one address at least")
	w.wants("POST", at, `{"to":["x"]}`, 400)
	w.wants("POST", at, `{"to":[""]}`, 400)
	w.wants("POST", at, `{"to":["`+strings.Repeat(`a@b.test","`, 100)+`a@b.test"]}`, 400, "100 at most")
}

// TestScenario: rules are put, told and ended; those that make no sense are refused.
func TestScenario(t *testing.T) {
	w := begin(t)
	const at = "/api/v1/inbox/shop/scenario"
	w.wants("PUT", at, `{"rules":[{"on":"rcpt","tries":"1","reply":"450 4.2.0 Later"}]}`, 200, `"tries": "1"`)
	w.wants("GET", at, "", 200, "450 4.2.0 Later")
	w.wants("GET", "/api/v1/inbox/*/scenario", "", 200, `"rules": \[\]`)
	w.wants("PUT", at, `{"rules":[{"on":"rcpt"}]}`, 400, "rule 1: nothing happens")
	w.wants("PUT", at, `{"rules":[{"on":"rcpt","replay":"450 4.2.0 Later"}]}`, 400, `unknown field \\"replay\\"`)
	w.wants("PUT", at, `{"rule":[]}`, 400, `unknown field \\"rule\\"`)
	w.wants("GET", at, "", 200, "450 4.2.0 Later")
	w.wants("DELETE", at, "", 200, `"rules": \[\]`)
}

// TestOperations: what is in the document of a house is answered, and nothing else is.
func TestOperations(t *testing.T) {
	w := begin(t)
	operations := inboxapi.Operations()
	for _, o := range operations {
		method, path, _ := strings.Cut(o.Pattern, " ")
		if o.About == "" || o.Answer == nil && o.Kind == "" && o.Events == nil || strings.HasSuffix(path, "/events") != (o.Events != nil) {
			t.Errorf("%s: %+v", o.Pattern, o)
		}
		if o.Events != nil {
			continue // see TestEvents
		}
		place := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "06h0evdm1pejxx1xbkbg")
		if answer, text := w.ask(method, place+"?timeout=1ms", ""); answer.StatusCode == 405 || strings.Contains(text, "there is no "+method) {
			t.Errorf("%s is in the document, and not answered", o.Pattern)
		}
	}
	if len(operations) < 30 {
		t.Errorf("%d operations", len(operations))
	}
	for _, path := range []string{"/api/v1/nothing", "/api/v1/", "/api/v1/message/latest/link-check"} {
		w.wants("GET", path, "", 404, `"status": 404`, `"error": "there is no GET `+path, `"hint": ".*openapi.json`)
	}
}

// TestMailpit: the calls that helpers for Mailpit use, in its shape.
func TestMailpit(t *testing.T) {
	w := begin(t)
	id := w.put("a")
	w.wants("GET", "/api/v1/info", "", 200, `"Messages": 1`, `"Unread": 1`)
	w.wants("GET", "/api/v1/messages?start=0&limit=10", "", 200, `"messages_count": 1`, `"Name": "Bob"`, `"Address": "bob@sohu.com"`, `"Bcc": \[\s+\{\s+"Name": "",\s+"Address": "jane\+hidden@example.org"`, `"Attachments": 1`)
	w.wants("GET", "/api/v1/search?query=subject:welcome+!is:read", "", 200, `"messages_count": 1`)
	w.wants("GET", "/api/v1/search?query=", "", 400, `"Error": "no search query"`)
	w.wants("GET", "/api/v1/message/latest", "", 200, `"ID": "`+id, `"FileName": "evil.html"`, `"ReturnPath": "bounce@sohu.com"`)
	w.wants("GET", "/api/v1/messages", "", 200, `"Read": true`)
	w.wants("PUT", "/api/v1/messages", `{"IDs":["`+id+`"],"Read":false}`, 200, "^ok$")
	w.wants("GET", "/api/v1/message/"+id+"/headers", "", 200, `"Subject": \[\s+"Welcome"`)
	w.wants("GET", "/api/v1/message/"+id+"/raw", "", 200, "^From: Bob")
	w.wants("GET", "/api/v1/message/"+id+"/part/2", "", 200, "^<script>")
	w.wants("GET", "/view/"+id+".html", "", 200, "4711-0815")
	w.wants("POST", "/api/v1/message/"+id+"/release", `{"To":["real@example.org"]}`, 200, "^ok$")
	sent := w.wants("POST", "/api/v1/send", `{"From":{"Email":"a@b.test","Name":"A"},"To":[{"Email":"c@d.test"}],"Bcc":["e@f.test"],"Subject":"sent","Text":"hello",`+
		`"Headers":{"X-One":"1"},"Attachments":[{"Content":"aGk=","Filename":"hi.txt","ContentType":"text/plain"}]}`, 200, `"ID": "`)
	w.wants("GET", "/api/v1/search?query=subject:sent", "", 200, `"Subject": "sent"`, `"Address": "e@f.test"`)
	w.wants("GET", "/view/latest.txt", "", 200, "^hello")
	w.wants("POST", "/api/v1/send", `{"From":{"Email":"nobody"}}`, 400, "is no address")
	w.wants("POST", "/api/v1/send", `{"From":{"Email":"a@b.test"},"To":[{"Email":"c@d.test"}],"Headers":{"Bad Name":"x"}}`, 400, "Bad Name")
	var got struct{ ID string }
	if err := json.Unmarshal([]byte(sent), &got); err != nil {
		t.Fatal(err)
	}
	w.wants("DELETE", "/api/v1/messages", `{"IDs":["`+got.ID+`"]}`, 200, "^ok$")
	w.wants("DELETE", "/api/v1/search?query=subject:welcome", "", 200, "^ok$")
	w.wants("DELETE", "/api/v1/messages", "", 200, "^ok$")
	w.wants("GET", "/api/v1/message/latest", "", 404)
}
