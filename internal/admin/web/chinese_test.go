package web_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// TestChinesePagesAreChinese walks over all pages with something of everything on them, and
// wants no English but what other people have written, and the names of things.
func TestChinesePagesAreChinese(t *testing.T) {
	w, store := openInboxes(t, some()...)
	w.house.Certificates = []admin.Certificate{
		{Name: "mx.example.org", Others: []string{"example.org"}, Issuer: "Example CA", From: "https://acme.example/dir", Until: time.Now().Add(time.Hour), Trouble: "no DNS", Next: time.Now().Add(time.Minute)},
		{Name: "localhost"},
	}
	broken := put(t, store, "sales", brokenLetter)
	whole := put(t, store, "", letterText)
	id := w.house.Send("ann@example.org", "Oktober", "bob@sina.example", "carl@full.example", "dora@grey.example").String()
	held := w.get("/queue/messages?filter=state:held")
	old := between(held.text, `name="pick" value="`, `/`)
	w.judge(id)
	talk := w.talkTo("mx1.sina.example", "S220 mx1.sina.example", "CEHLO mx.example.org", "S250 PIPELINING")
	refused := w.talkTo("mx.down.example", "S421 4.3.2 Busy")
	refused.End(time.Now(), errors.New("421 4.3.2 Busy"))
	lost := w.talkTo("mx.lost.example", "S220 mx.lost.example", "CEHLO mx.example.org")
	w.house.Sessions.Cut(lost.number)
	lost.End(time.Now(), errors.New("closed"))

	paths := []string{
		"/", "/inbox", "/inbox?q=nosuch", "/inbox?q=has:wings", "/inbox?q=larger:x", "/inbox?q=before:yesteryear", "/inbox?q=%22", "/inbox?q=from:", "/inbox?in=sales", "/inbox?deleted=2",
		"/queue", "/queue/messages", "/queue/messages?done=drop.2.1", "/queue/messages?filter=colour:red", "/queue/messages?filter=state:red", "/queue/messages?filter=age:2h", "/queue/messages?filter=size:%3E2x", "/queue/messages?filter=to:nobody@x.example",
		"/messages/" + id, "/messages/" + old, "/messages/zz", "/messages/00000000000000000000", "/messages/0000000000000000zzzz", "/messages/" + id + "?after=x",
		"/explain", "/explain?to=sales@example.org", "/explain?to=team@example.org&from=boss@example.org&size=100", "/explain?to=bob@grey.example&client=192.0.2.7&size=99999999", "/explain?to=bob@grey.example&login=ann",
		"/explain?to=nobody@example.org&client=198.51.100.1", "/explain?to=gone@example.org", "/explain?to=x@elsewhere.example&client=198.51.100.1", "/explain?to=here", "/explain?to=a@b.example&client=x", "/explain?to=a@b.example&size=x",
		"/find", "/find?q=oktober", "/find?q=colour:red", "/find?q=a*b", "/find?q=nosuchword", "/sessions", "/sessions?cut=1", talk.page(), refused.page(), lost.page(), "/sessions/999", "/sessions/x",
		"/overview", "/login", "/nowhere", "/inbox/zzz",
	}
	for _, tab := range []string{"html", "text", "headers", "source", "parts", "attachments", "transcript", "authentication", "links", "checks"} {
		paths = append(paths, "/inbox/"+broken.ID.String()+"?tab="+tab, "/inbox/"+whole.ID.String()+"?tab="+tab)
	}
	for _, path := range paths {
		w.isChinese(w.get(path, "Accept-Language", "zh-CN"))
	}
	w.post("/settings", "language", "zh-Hans", "back", "/queue")
	for _, verb := range []string{"drop", "bounce", "reroute", "hold", "release", "retry", "sing"} {
		w.isChinese(w.post("/queue/orders", "verb", verb, "scope", "all", "filter", "", "back", "/queue"))
	}
	w.isChinese(w.post("/queue/orders", "verb", "reroute", "confirmed", "yes", "scope", "all", "filter", "", "via", "no way", "back", "/queue"))
	w.isChinese(w.post("/queue/orders", "verb", "hold", "back", "/queue"))
	w.isChinese(w.post("/inbox/delete", "scope", "all", "q", "", "back", "/inbox"))
	w.isChinese(w.post("/inbox/delete", "pick", "x", "back", "/inbox"))
}

const brokenLetter = `From: no address at all
Subject: Kaputt
Subject: Zweimal
Date: yesterday
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m
Content-Transfer-Encoding: base64

--m
Content-Type: text/html; charset=klingon

<script>x</script><form></form><iframe></iframe><link rel=stylesheet href=x><video></video><svg></svg><style>@import x;p{position:absolute;display:flex;background-image:x;color:var(--x)}</style><img src="data:x"><a href="http://x.example/unsubscribe">x</a><a href="x">x</a><body><style></style>
--m
Content-Type: text/plain

` + "\xff\xfe\xe4" + `
--m
Content-Type: multipart/mixed

x
--m
Content-Transfer-Encoding: rot13
Content-Type: text/plain; charset=us-ascii

` + "\xc3\xa4"

// judge writes into the journal what checks have said of a message, and what befell it.
func (w *world) judge(id string) {
	w.t.Helper()
	parsed, err := mail.ParseID(id)
	if err != nil {
		w.t.Fatal(err)
	}
	to := admintest.Address("bob@sina.example")
	var notes []event.Event
	for _, action := range []string{"pass", "mark", "quarantine", "discard", "defer", "reject"} {
		notes = append(notes, &event.Judged{Action: action, Changed: "clam: changed 2 fields, and 3 more", Opinions: []event.Opinion{
			{Check: "greylist", Action: action, Why: "is a stranger, who is to come again in 5m0s", AtMost: "mark"},
		}})
	}
	notes = append(notes,
		&event.SecondCopy{To: to, Why: "the link was cut between the final dot and its reply"},
		&event.Reported{To: to, Dropped: "it is a report itself"},
	)
	var facts []spool.Fact
	for _, n := range notes {
		facts = append(facts, spool.Fact{ID: parsed, At: time.Now(), Data: event.Append(nil, n)})
	}
	if err := w.house.Spool.Note(w.t.Context(), facts); err != nil {
		w.t.Fatal(err)
	}
}

// isChinese wants no English on a page.
func (w *world) isChinese(p page) {
	w.t.Helper()
	if !strings.Contains(p.text, `<html lang="zh-Hans"`) {
		w.t.Errorf("%s is not in Chinese at all: %.200s", p.path, p.text)
	}
	for _, text := range ownWords(w.t, p.text) {
		text = typed.ReplaceAllString(written.Replace(replies.ReplaceAllString(text, "")), "")
		told := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
		if s := sentence.FindString(text); s != "" {
			w.t.Errorf("%s says %q", p.path, s)
		}
		for _, word := range strings.FieldsFunc(text, isGap) {
			if english.MatchString(word) && !slices.Contains(names, word) && !(told && slices.Contains(values, word)) {
				w.t.Errorf("%s says %q: %s", p.path, word, text)
			}
		}
	}
}

// isGap: words end there. What has a dot, a digit or the like in it is one word, and an
// address or something that programs read.
func isGap(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Han, r) || strings.ContainsRune("“”‘’（），。：；、,:;()<>[]{}\"'×·…≤→–!", r)
}

var (
	english  = regexp.MustCompile(`^[A-Za-z]{3,}\.?$`)
	sentence = regexp.MustCompile(`[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}`)
	// replies are in English by their nature; what they mean stands beside them.
	replies = regexp.MustCompile(`\b[245]\d\d (?:[245]\.\d+\.\d+ )?[ -~]*`)
	// typed is what is typed as it is, and what was typed.
	typed = regexp.MustCompile(`\b[\w.]+:\S*|“[^”]*”`)
	// written is what other people have written: here, this test.
	written = strings.NewReplacer("no address at all", "", "Your code is 482913", "", "Example CA", "", "no DNS", "", "Invoice 4711", "", "Undelivered", "",
		"Oktober", "", "Kaputt", "", "evil<b>.html", "", "Zweimal", "", "posthouse sessions list", "", "posthouse why ID", "")
)

// names are words that are the same in Chinese: of people, programs and standards, and those
// that are typed or configured as they are.
var names = []string{
	"Posthouse", "posthouse", "English", "SMTP", "ESMTP", "ESMTPS", "TLS", "HTML", "MIME", "CSS", "CSV", "SVG", "DNS", "UTC", "EHLO", "RCPT", "PIPELINING",
	"Gmail", "Outlook", "Yahoo", "Apple", "Mail", "Windows", "From", "Date", "Subject", "Ann", "Bob", "ann", "Shop", "Mon", "Nov",
	"inbox", "sales", "team", "default", "remote", "partners", "mailboxes", "smarthost", "sendmail", "greylist", "localhost", "sender", "clam",
	"RFC", "multipart", "klingon", "gbk", "yesterday", "changed", "alt", "style", "head", "grid", "flex", "display", "position", "cid", "data", "http",
}

// values are words that are typed behind a colon: they may be told of, but a state alone is
// said in Chinese.
var values = []string{
	"attachment", "read", "unread", "fresh", "deferred", "held", "active", "waiting", "suspect", "from", "subject", "reply", "host", "client", "login", "fate",
	"delivered", "relayed", "failed", "expired", "discarded", "removed", "reported", "greylisted", "hold", "true",
	"KiB", "MiB", "GiB", "user", "unknown", "invoice", "boundary", "lang",
}

// ownWords are the texts of a page that we have written: not those of messages, of replies
// and of dialogues.
func ownWords(t *testing.T, text string) (all []string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode && strings.TrimSpace(n.Data) != "" {
			all = append(all, strings.TrimSpace(n.Data))
		}
		if n.Type == html.ElementNode && (slices.Contains([]string{"script", "style", "code", "kbd"}, n.Data) || isDialogue(n)) {
			return
		}
		for _, a := range n.Attr {
			if a.Key == "title" || a.Key == "aria-label" || a.Key == "data-label" {
				all = append(all, a.Val)
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(doc)
	return all
}

// isDialogue: it shows lines of SMTP, or a message as it came.
func isDialogue(n *html.Node) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool {
		return a.Key == "class" && (strings.HasPrefix(a.Val, "source") || a.Val == "them" || a.Val == "us")
	})
}
