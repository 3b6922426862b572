package web_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/web"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

func query(filter string) spool.Query {
	f, err := admin.ParseFilter(filter, time.Now())
	if err != nil {
		panic(err) // a test's own filter
	}
	return spool.Query{Filter: f}
}

// some is a queue with something of everything.
func some() []admintest.Letter {
	busy := smtp.Replyf(450, smtp.EnhancedCode{4, 7, 1}, "Greylisted, come back later")
	return []admintest.Letter{
		{From: "ann@example.org", Subject: "Invoice 4711", Age: 3 * time.Hour, To: []admintest.Waiting{
			{To: "bob@grey.example", Due: time.Hour, Reply: busy, Host: "mx1.grey.example"}, {To: "eve@slow.example", Held: "joe"},
		}},
		{From: "", Subject: "Undelivered", Age: 26 * time.Hour, To: []admintest.Waiting{{To: "carl@down.example", Due: 2 * time.Hour, Reply: busy}}},
	}
}

// TestQueue looks at the pages of the queue and works on it, as an operator does who has
// no script.
func TestQueue(t *testing.T) {
	w := openWorld(t, web.Options{}, some()...)
	w.says(w.get("/"), 200, "Queue")
	w.says(w.get("/queue"), 200, "grey.example", "deferred", "450 4.7.1 Greylisted, come back later", "slow.example", "held", "3h")
	all := w.get("/queue/messages")
	w.says(all, 200, "Invoice 4711", "bob@grey.example", "carl@down.example", "ann@example.org", "<>")
	held := w.get("/queue/messages?filter=state:held")
	w.says(held, 200, "eve@slow.example")
	if strings.Contains(held.words(), "bob@") {
		t.Errorf("the filter does not choose: %s", held.words())
	}
	w.says(w.get("/queue/messages?filter=colour:red"), 200, "is no word of a filter")

	id := between(held.text, `name="pick" value="`, `"`)
	w.says(w.post("/queue/orders", "verb", "hold", "pick", between(all.text, `name="pick" value="`, `"`), "back", "/queue/messages"), 200, "1 recipient held")
	w.says(w.get("/queue/messages?filter=state:held"), 200, "bob@grey.example", "eve@slow.example")
	w.says(w.get("/messages/"+id[:strings.IndexByte(id, '/')]), 200, "Invoice 4711", "Order: Hold", "by console")
}

// TestGraveOrders are asked for before they are carried out, and are about what was there
// when they were asked for.
func TestGraveOrders(t *testing.T) {
	w := openWorld(t, web.Options{}, some()...)
	for _, verb := range []string{"drop", "bounce", "reroute"} {
		p := w.post("/queue/orders", "verb", verb, "scope", "all", "filter", "dest:grey.example", "back", "/queue/messages")
		w.says(p, 200, "1 recipient is meant", "grey.example")
	}
	asked := w.post("/queue/orders", "verb", "drop", "scope", "all", "filter", "", "back", "/queue/messages")
	w.says(asked, 200, "3 recipients are meant", "without a word to anybody")
	filter := between(asked.text, `name="filter" value="`, `"`)
	if !strings.Contains(filter, "arrived:") {
		t.Fatalf("what was asked about is not fixed: %q", filter)
	}
	filter = strings.NewReplacer("&lt;", "<", "&gt;", ">").Replace(filter)
	w.house.Send("late@example.org", "Late", "late@grey.example")
	w.says(w.post("/queue/orders", "verb", "drop", "confirmed", "yes", "scope", "all", "filter", filter, "reason", "spam run", "back", "/queue/messages"), 200,
		"3 recipients dropped", "late@grey.example")
	page, err := w.house.Spool.List(t.Context(), query(""))
	if err != nil || len(page.Items) != 1 {
		t.Errorf("left are %d recipients, %v; want the one that came later", len(page.Items), err)
	}
}

// TestReroute: mail is rerouted by a form, and the story tells it.
func TestReroute(t *testing.T) {
	w := openWorld(t, web.Options{}, some()...)
	w.says(w.post("/queue/orders", "verb", "reroute", "confirmed", "yes", "scope", "all", "filter", "to:eve@slow.example", "via", "nowhere at all", "back", "/queue"), 400, "nowhere at all")
	w.says(w.post("/queue/orders", "verb", "reroute", "confirmed", "yes", "scope", "all", "filter", "to:eve@slow.example", "via", "relay.example.net:25", "back", "/queue/messages"), 200, "1 recipient rerouted")
}

// TestLifeOfAMessage that has left the queue is told by the journal.
func TestLifeOfAMessage(t *testing.T) {
	w := openWorld(t, web.Options{})
	id := w.house.Send("ann@example.org", "Hello <b>there</b>", "bob@sina.example", "carl@full.example").String()
	p := w.get("/messages/" + id)
	w.says(p, 200, "Hello <b>there</b>", "Accepted", "Relayed", "250 2.0.0 Ok: queued as 4711", "Failed", "552 5.2.2 Mailbox full", "Report", "mx1.sina.example")
	if strings.Contains(p.text, "<b>there") {
		t.Error("a subject is markup")
	}
	w.says(w.get("/messages/00000000000000000000"), 404)
	w.says(w.get("/messages/not-an-id"), 400)
	w.says(w.get("/messages/"+id, "Accept-Language", "zh-CN,zh;q=0.9"), 200, "已接收", "已转交", "失败")
}

// TestExplain asks for ways.
func TestExplain(t *testing.T) {
	w := openWorld(t, web.Options{})
	w.says(w.get("/explain"), 200, "Explain")
	w.says(w.get("/explain?to=sales@example.org"), 200, "It is taken", "jane@example.org", "joan@partner.example")
	w.says(w.get("/explain?to=nobody@example.org&client=198.51.100.1"), 200, "It is refused", "550")
	w.says(w.get("/explain?to=here"), 200, "no address")
}

// TestChoices: language and appearance stay chosen.
func TestChoices(t *testing.T) {
	w := openWorld(t, web.Options{})
	w.says(w.get("/queue"), 200, "The queue is empty")
	w.says(w.post("/settings", "language", "zh-Hans", "back", "/explain"), 200, "路径说明")
	w.says(w.get("/queue", "Accept-Language", "en"), 200, "队列为空")
	w.post("/settings", "theme", "dark", "back", "/queue")
	if p := w.get("/queue"); !strings.Contains(p.text, `data-theme="dark"`) || !strings.Contains(p.text, `lang="zh-Hans"`) {
		t.Errorf("chosen was dark and 简体中文: %.200s", p.text)
	}
	w.post("/settings", "theme", "purple", "language", "klingon")
	if p := w.get("/queue"); !strings.Contains(p.text, `data-theme="dark"`) {
		t.Error("a theme that there is not was taken")
	}
}

// TestLive: who looks at the queue sees mail come without asking again, and one picture
// is drawn for all who look at the same thing.
func TestLive(t *testing.T) {
	w := openWorld(t, web.Options{})
	first, second := w.follow("/queue/messages"), w.follow("/queue/messages")
	for _, f := range []*follower{first, second} {
		f.until("No mail fits the filter")
	}
	w.house.Send("ann@example.org", "Fresh\rnews", "bob@grey.example")
	w.console.Changed(web.TopicQueue)
	for _, f := range []*follower{first, second} {
		f.until("bob@grey.example")
	}
	w.end() // which ends the streams
	for _, f := range []*follower{first, second} {
		for f.in.Scan() {
		}
	}
}

// follower hears a stream.
type follower struct {
	w  *world
	in *bufio.Scanner
}

func (w *world) follow(path string) *follower {
	w.t.Helper()
	resp, err := w.client.Get(w.base + "/live?of=" + path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		w.t.Fatalf("%s is %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, 1<<20)
	return &follower{w, in}
}

// until reads until something is said. Every line is one of data, or a comment.
func (f *follower) until(said string) {
	f.w.t.Helper()
	for f.in.Scan() {
		text := f.in.Text()
		if text != "" && !strings.HasPrefix(text, "data: ") && !strings.HasPrefix(text, ":") {
			f.w.t.Errorf("a line of the stream is %q", text)
		}
		if strings.Contains(text, said) {
			return
		}
	}
	f.w.t.Fatalf("the stream ended without %q: %v", said, f.in.Err())
}
