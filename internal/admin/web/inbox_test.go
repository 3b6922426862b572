package web_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/web"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// openInboxes opens a console with inboxes in memory.
func openInboxes(t *testing.T, letters ...admintest.Letter) (*world, *inbox.Store) {
	t.Helper()
	var w *world
	store, err := inbox.Open(inbox.Options{Changed: func() {
		if w != nil {
			w.console.Changed(web.TopicInbox)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w = openWorld(t, web.Options{Inboxes: store, Receives: "127.0.0.1:2525"}, letters...)
	return w, store
}

func put(t *testing.T, s *inbox.Store, name, text string) inbox.Message {
	t.Helper()
	m, err := s.Put(t.Context(), inbox.Arrival{
		Inbox: name, From: admintest.Address("ann@sina.example"), To: []smtp.Path{admintest.Address("bob@example.org")},
		Source: mail.Source{Listener: "inbox", TLS: "TLS 1.3"},
		Dialogue: []inbox.Line{
			{At: time.Unix(0, 0), Who: inbox.Server, Text: "220 mx.example.org ESMTP"},
			{At: time.Unix(1, 5e8), Who: inbox.Client, Text: "EHLO <script>there"},
			{At: time.Unix(2, 0), Who: inbox.Note, Text: "TLS 1.3"},
		},
	}, strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const letterText = `From: Ann <ann@sina.example>
To: Bob <bob@example.org>
Subject: =?gb2312?B?xOO6ww==?= 4711
Date: Mon, 23 Nov 2026 10:00:00 +0000
Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=ann@sina.example; dkim=fail reason="changed"
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/related; boundary=r

--r
Content-Type: text/html; charset=gbk

<h1>Hi</h1><p>Your code is 482913</p><img src="cid:logo"><img src="https://tracker.example/x.png"><script>alert(1)</script><a href="https://shop.example/">Shop</a>
--r
Content-Type: image/png
Content-ID: <logo>
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--r--
--m
Content-Type: text/html; name="../../evil<b>.html"
Content-Disposition: attachment; filename="../../evil<b>.html"

<script>alert(document.domain)</script>
--m--
`

// TestInbox looks at messages as a developer does whose program has sent them.
func TestInbox(t *testing.T) {
	w, store := openInboxes(t)
	w.says(w.get("/"), 200, "No mail yet", "posthouse send --server 127.0.0.1:2525")
	live := w.follow("/inbox")
	live.until("No mail yet")
	m := put(t, store, "sales", letterText)
	live.until("你好 4711")
	put(t, store, "other", "Subject: Plain\n\nwords of a sort\n")

	w.says(w.get("/inbox"), 200, "2 messages", "2 unread", "你好 4711", "Plain", "words of a sort", "sales", "other", "1 attachment")
	for query, found := range map[string]string{
		"subject%3A4711": "你好 4711", "has%3Aattachment": "你好 4711", "from%3Aann+sort": "Plain", "before%3A1999-01-01": "No message fits", "before%3Ayesteryear": "before",
	} {
		w.says(w.get("/inbox?q="+query), 200, found)
	}
	if p := w.get("/inbox?in=other"); strings.Contains(p.words(), "4711") {
		t.Errorf("inboxes are not separate: %s", p.words())
	}
	at := "/inbox/" + m.ID.String()
	for tab, wanted := range map[string][]string{
		"":               {"你好 4711", "Ann <ann@sina.example>", "482913", "1 remote image is not loaded"},
		"text":           {"Your code is 482913"},
		"headers":        {"Subject", "你好 4711", "Authentication-Results"},
		"source":         {"=?gb2312?B?xOO6ww==?=", "multipart/related"},
		"parts":          {"multipart/mixed", "image/png", "gbk", "cid:logo"},
		"attachments":    {"image/png"},
		"transcript":     {"220 mx.example.org ESMTP", "EHLO <script>there", "+1.500"},
		"authentication": {"mx.example.org", "spf=pass", "dkim=fail", "changed"},
		"links":          {"https://shop.example/", "https://tracker.example/x.png"},
		"checks":         {"script"},
	} {
		w.says(w.get(at+"?in=sales&tab="+tab), 200, wanted...)
	}
	w.says(w.get("/inbox"), 200, "1 unread")
	w.says(w.get(at+"?in=other"), 404)
	w.says(w.get("/inbox/zzz"), 404)
}

// TestFrame: the HTML of a message is an answer of its own, which is nobody's and runs
// nothing; remote images come when they are asked for.
func TestFrame(t *testing.T) {
	w, store := openInboxes(t)
	at := "/inbox/" + put(t, store, "", letterText).ID.String()
	page := w.get(at + "?tab=html")
	if strings.Contains(page.text, "tracker.example") || !strings.Contains(page.text, `sandbox="allow-popups allow-popups-to-escape-sandbox"`) {
		t.Errorf("the page holds the HTML, or the frame has rights: %s", page.text)
	}
	f := w.get(at + "/html")
	policy := f.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "sandbox allow-popups", "img-src data:;", "form-action 'none'", "frame-ancestors 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the frame's policy %q has no %q", policy, want)
		}
	}
	for _, never := range []string{"script", "allow-same-origin", "allow-scripts", "allow-forms", "allow-top"} {
		if strings.Contains(policy, never) {
			t.Errorf("the frame's policy %q has %q", policy, never)
		}
	}
	if strings.Contains(f.text, "tracker") || strings.Contains(f.text, "<script") || !strings.Contains(f.text, "data:image/png;base64,iVBORw0KGgo=") {
		t.Errorf("the frame: %s", f.text)
	}
	f = w.get(at + "/html?remote=1")
	if !strings.Contains(f.text, "https://tracker.example/x.png") || !strings.Contains(f.header.Get("Content-Security-Policy"), "img-src data: https: http:;") {
		t.Errorf("the frame with remote images: %s %s", f.header.Get("Content-Security-Policy"), f.text)
	}
}

// TestFiles: what comes out is as it came in, is never shown as a page, and has a name
// that is no path.
func TestFiles(t *testing.T) {
	w, store := openInboxes(t)
	at := "/inbox/" + put(t, store, "", letterText).ID.String()
	source := w.get(at + "/source")
	if source.text != strings.ReplaceAll(letterText, "\n", "\r\n") || source.header.Get("Content-Type") != "message/rfc822" {
		t.Errorf("the source is not as it came: %q", source.text)
	}
	evil := w.get(at + "/part/2")
	h := evil.header
	if !strings.Contains(evil.text, "<script>") || h.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") ||
		!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || strings.ContainsAny(strings.TrimPrefix(h.Get("Content-Disposition"), "attachment"), "/\\<>") {
		t.Errorf("an attachment: %v %s", h, evil.text)
	}
	if p := w.get(at + "/part/2?look=1"); !strings.HasPrefix(p.header.Get("Content-Disposition"), "attachment") {
		t.Error("HTML that is attached can be looked at in our own origin")
	}
	if p := w.get(at + "/part/1.2?look=1"); p.header.Get("Content-Type") != "image/png" || p.header.Get("Content-Disposition") != "" {
		t.Errorf("a picture: %v", p.header)
	}
	for _, path := range []string{"/part/9", "/part/..%2f..", "/part/-1", "/part/1.", "/part/%00"} {
		if p := w.get(at + path); p.status != 404 {
			t.Errorf("%s: %d", path, p.status)
		}
	}
}

// TestTagsAndMarks: a message is given tags, is found by them, and is unread again.
func TestTagsAndMarks(t *testing.T) {
	w, store := openInboxes(t)
	first := put(t, store, "", "Subject: first\nX-Tags: nightly\n\nx\n")
	second := put(t, store, "", "Subject: second\n\nx\n")
	at := "/inbox/" + second.ID.String()
	w.says(w.post(at+"/tags", "tags", "checkout flow，v2, nightly,"), 200, "Tags checkout flow nightly v2")
	w.says(w.get("/inbox"), 200, "# nightly 2", "# checkout flow 1", "1 unread")
	p := w.get("/inbox?q=tag%3A%22checkout+flow%22")
	w.says(p, 200, "1 message", "second")
	w.says(w.post(at+"/tags", "tags", strings.Repeat("x", 41)), 400, "a tag has 40 octets at most")
	w.says(w.post("/inbox/"+strings.Repeat("0", 20)+"/tags", "tags", "x"), 404)

	w.says(w.post("/inbox/mark", "pick", first.ID.String(), "pick", second.ID.String(), "read", "yes", "back", "/inbox?q=is:read"), 200, "2 messages")
	w.says(w.post("/inbox/mark", "pick", second.ID.String(), "read", "no", "back", "/inbox?q=is:unread"), 200, "1 message", "second")
	if p := w.get("/inbox"); !strings.Contains(p.text, `data-unread="1"`) {
		t.Error("the title cannot tell how much is unread")
	}
	w.says(w.post("/inbox/mark", "read", "no", "back", "/inbox"), 400)
}

// TestThumbnails are small, and there are none of what says that it is very large.
func TestThumbnails(t *testing.T) {
	w, store := openInboxes(t)
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 500, 300))); err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Clone(picture.Bytes())
	bomb[16], bomb[20] = 0x7f, 0x7f // width and height
	part := func(octets []byte) string {
		return "--m\nContent-Type: image/png; name=a.png\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString(octets) + "\n"
	}
	at := "/inbox/" + put(t, store, "", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n\n"+part(picture.Bytes())+part(bomb)+"--m--\n").ID.String()
	if p := w.get(at + "?tab=attachments"); !strings.Contains(p.text, at+"/part/1?thumb=1") {
		t.Errorf("there is no small picture on the page: %s", p.text)
	}
	p := w.get(at + "/part/1?thumb=1")
	small, _, err := image.DecodeConfig(strings.NewReader(p.text))
	if err != nil || small.Width != 160 || small.Height != 96 || p.header.Get("Content-Type") != "image/jpeg" || !strings.Contains(p.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("a small picture: %+v, %v, %v", small, err, p.header)
	}
	w.says(w.get(at+"/part/2?thumb=1"), 404)
}

// TestDelete deletes one, some that were picked, and all that a query finds, once that
// was confirmed.
func TestDelete(t *testing.T) {
	w, store := openInboxes(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, put(t, store, "", fmt.Sprintf("Subject: number %d\n\n\n", i)).ID.String())
	}
	w.says(w.post("/inbox/delete", "pick", ids[0], "pick", ids[1], "back", "/inbox"), 200, "Deleted: 2", "3 messages")
	w.says(w.post("/inbox/delete", "scope", "all", "q", "subject:4", "back", "/inbox"), 200, "Delete all of these", "1 message")
	w.says(w.get("/inbox"), 200, "3 messages")
	w.says(w.post("/inbox/delete", "scope", "all", "q", "subject:4", "confirmed", "yes", "back", "/inbox"), 200, "Deleted: 1", "2 messages")
	w.says(w.post("/inbox/delete", "back", "/inbox"), 400)
	w.says(w.post("/inbox/delete", "pick", "../x", "back", "/inbox"), 400)
}

// TestThousands: ten thousand messages are pages of fifty.
func TestThousands(t *testing.T) {
	w, store := openInboxes(t)
	fill(t, store, 10_000)
	seen := 0
	next := "/inbox"
	for range 3 {
		p := w.get(next)
		w.says(p, 200, "10,000 messages")
		seen += strings.Count(p.text, `name="pick"`)
		next = html.UnescapeString(between(p.text, `rel="next" href="`, `"`))
	}
	if seen != 150 {
		t.Errorf("three pages have %d messages, want 150", seen)
	}
	w.says(w.get("/inbox?q=subject%3A9999"), 200, "1 message", "number 9999")
}

func fill(t testing.TB, store *inbox.Store, n int) {
	t.Helper()
	for i := range n {
		text := fmt.Sprintf("From: Ann <ann%d@sina.example>\r\nSubject: number %d\r\n\r\nSome words of message %d, and more of them.\r\n", i%100, i, i)
		if _, err := store.Put(t.Context(), inbox.Arrival{From: admintest.Address("ann@sina.example"), To: []smtp.Path{admintest.Address("bob@example.org")}}, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBrokenMail: whatever comes, the page says what is wrong and shows the source.
func TestBrokenMail(t *testing.T) {
	w, store := openInboxes(t)
	deep := strings.Builder{}
	for i := range 300 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	many := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: text/plain\n\nx\n", 11_000) + "--b--\n"
	bomb := "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("<div>"), 1<<16)) + "\n"
	for name, text := range map[string]string{
		"nothing":                  "",
		"no header":                "\nonly a body",
		"no body":                  "Subject: x",
		"noise":                    "\x00\xff\xfe\x01: \x02\n\n\x00\x80",
		"multiparts in multiparts": deep.String(),
		"11,000 parts":             many,
		"a huge header":            "Subject: " + strings.Repeat("x", 900_000) + "\n\n",
		"many fields":              strings.Repeat("X-A: b\n", 50_000) + "\n",
		"a bomb of divs":           bomb,
		"an unknown charset":       "Content-Type: text/plain; charset=klingon\n\n\xe4\xf6",
		"a boundary that is none":  "Content-Type: multipart/mixed\n\n--x\n\n--x--\n",
		"encoded words of nothing": "Subject: =?utf-8?b?????=?= =?x?q?=\nFrom: =?utf-8?q?=00=01?= <<<>>>\n\nx",
	} {
		t.Run(name, func(t *testing.T) {
			m := put(t, store, "", text)
			looked := []string{"html", "text", "headers", "source", "parts", "attachments", "transcript", "authentication", "links", "checks"}
			if len(text) > 200_000 { // each takes its time
				looked = []string{"html", "source", "parts"}
			}
			for _, tab := range looked {
				p := w.get("/inbox/" + m.ID.String() + "?tab=" + tab)
				if p.status != 200 {
					t.Errorf("%s: %d %.200s", tab, p.status, p.words())
				}
				if len(p.text) > 8<<20 {
					t.Errorf("%s: the page has %d octets", tab, len(p.text))
				}
			}
			if p := w.get("/inbox/" + m.ID.String() + "/html"); p.status != 200 {
				t.Errorf("the frame: %d", p.status)
			}
		})
	}
	w.says(w.get("/inbox"), 200, "12 messages")
}

// TestHostileWords puts what would be markup into every field that is shown, and wants
// it to be text on every page.
func TestHostileWords(t *testing.T) {
	w, store := openInboxes(t)
	payload := `"><script>alert(1)</script><img src=x onerror=alert(1)>'--!></textarea></title><svg/onload=alert(1)>{{.}}javascript:alert(1)`
	word := "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(payload)) + "?="
	text := "Subject: " + word + "\nFrom: " + word + " <ann@sina.example>\nTo: " + word + " <bob@example.org>\nX-" + strings.Repeat("a", 20) + ": " + payload + "\n" +
		"Authentication-Results: " + payload + "; spf=pass smtp.mailfrom=\"" + payload + "\"\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
		"--b\nContent-Type: text/plain\n\n" + payload + " https://x.example/" + payload + "\n--b\nContent-Type: text/html\n\n<a href='https://x.example/\"onx'>" + payload + "</a>\n" +
		"--b\nContent-Type: application/" + payload + "; name=\"" + word + "\"\nContent-ID: <" + payload + ">\nContent-Disposition: attachment; filename=\"" + word + "\"\n\nx\n--b--\n"
	m := put(t, store, payload, text)
	id := w.house.Send("ann@example.org", payload, "bob@grey.example").String()
	in := "in=" + strings.NewReplacer("\"", "%22", "<", "%3C", ">", "%3E", " ", "%20", "#", "%23", "{", "%7B", "}", "%7D").Replace(payload)
	paths := []string{"/inbox", "/inbox?q=" + in[3:], "/inbox?" + in, "/queue", "/queue/messages", "/queue/messages?filter=" + in[3:], "/messages/" + id, "/explain?to=" + in[3:] + "&from=" + in[3:], "/" + in[3:]}
	for _, tab := range []string{"html", "text", "headers", "source", "parts", "attachments", "transcript", "authentication", "links", "checks"} {
		paths = append(paths, "/inbox/"+m.ID.String()+"?tab="+tab, "/inbox/"+m.ID.String()+"?tab="+tab+"&released="+in[3:])
	}
	for _, path := range paths {
		p := w.get(path)
		if p.status >= 500 {
			t.Errorf("%s: %d", path, p.status)
		}
		for _, wrong := range foreign(p.text) {
			t.Errorf("%s has %s", path, wrong)
		}
	}
}

// foreign finds markup in a page that no template of ours has.
func foreign(text string) (found []string) {
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				found = append(found, z.Err().Error())
			}
			return found
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			for _, a := range token.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc",
					(a.Key == "href" || a.Key == "src" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#"),
					token.Data == "script" && a.Key == "src" && !strings.HasPrefix(a.Val, "/static/"):
					found = append(found, token.String())
				}
			}
			if token.Data == "script" && !strings.Contains(token.String(), "/static/") || token.Data == "img" && !strings.Contains(token.String(), "/part/") {
				found = append(found, token.String())
			}
		}
	}
}

// BenchmarkInbox is what a page of ten thousand messages takes, with and without a search.
func BenchmarkInbox(b *testing.B) {
	store, err := inbox.Open(inbox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	fill(b, store, 10_000)
	c := web.New(web.Options{API: admintest.NewHostile(1), Inboxes: store, Rights: func() web.Rights { return web.Rights{Guests: web.Viewer} }})
	for _, path := range []string{"/inbox", "/inbox?q=subject%3A9999", "/inbox?q=words+message"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				if code := answered(c, path); code != 200 {
					b.Fatal(code)
				}
			}
		})
	}
}
