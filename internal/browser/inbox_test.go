package browser

import (
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/posthouse/posthouse/internal/admin/web"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// desk is a console with inboxes in memory, in this process.
type desk struct {
	store *inbox.Store
	base  string
}

func openDesk(t *testing.T) *desk { t.Helper(); return openDeskOver(t, http.NotFoundHandler()) }

// openDeskOver opens one that has a control API, too.
func openDeskOver(t *testing.T, api http.Handler) *desk {
	t.Helper()
	d := &desk{}
	ready := make(chan *web.Console, 1)
	var err error
	d.store, err = inbox.Open(inbox.Options{Changed: func() {
		c := <-ready
		ready <- c
		c.Changed(web.TopicInbox)
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := web.New(web.Options{
		API: api, Inboxes: d.store, Receives: "127.0.0.1:2525", Hostname: "localhost", Version: "posthouse",
		Rights: func() web.Rights { return web.Rights{Guests: web.Operator} },
	})
	ready <- c
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.base = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, l, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = d.store.Close()
	})
	return d
}

// put brings a message, from who its header says.
func (d *desk) put(t *testing.T, name, to, text string) inbox.Message {
	t.Helper()
	now := time.Now()
	var talk []inbox.Line
	for i, s := range []string{
		"S220 mx.example.org ESMTP Posthouse", "CEHLO app.example.org", "S250-mx.example.org", "S250-PIPELINING", "S250-SIZE 52428800",
		"S250 STARTTLS", "CSTARTTLS", "S220 2.0.0 Go ahead", "*TLS 1.3 TLS_AES_128_GCM_SHA256", "CEHLO app.example.org", "S250 mx.example.org",
		"CAUTH PLAIN ********", "S235 2.7.0 Authentication successful",
		"CMAIL FROM:<shop@sina.example>", "S250 2.1.0 Sender ok", "CRCPT TO:<" + to + ">", "S250 2.1.5 Recipient ok", "CDATA", "S354 Go ahead",
		fmt.Sprintf("*%d octets of text", len(text)), "S250 2.0.0 Kept in the inbox " + name,
	} {
		who := map[byte]inbox.Who{'C': inbox.Client, 'S': inbox.Server, '*': inbox.Note}[s[0]]
		talk = append(talk, inbox.Line{At: now.Add(time.Duration(i) * 1700 * time.Microsecond), Who: who, Text: s[1:]})
	}
	from, err := smtp.ParseMailbox("shop@sina.example")
	if err != nil {
		t.Fatal(err)
	}
	rcpt, err := smtp.ParseMailbox(to)
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.store.Put(t.Context(), inbox.Arrival{
		Inbox: name, From: from, To: []smtp.Path{rcpt}, Dialogue: talk,
		Source: mail.Source{Listener: "inbox", TLS: "TLS 1.3 TLS_AES_128_GCM_SHA256", Login: "app"},
	}, strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// letterOf reads a message of testdata; {{LOGO}} in it stands for a picture.
func letterOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "{{LOGO}}", logo(t))
}

// logo is a picture in base64: a red square with a white ring.
func logo(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 120, 120))
	for x := range 120 {
		for y := range 120 {
			img.Set(x, y, color.RGBA{0xb3, 0x26, 0x1e, 0xff})
			if r := (x-60)*(x-60) + (y-60)*(y-60); r < 1700 && r > 1000 {
				img.Set(x, y, color.White)
			}
		}
	}
	var b strings.Builder
	to := base64.NewEncoder(base64.StdEncoding, &b)
	if err := png.Encode(to, img); err != nil {
		t.Fatal(err)
	}
	_ = to.Close()
	return b.String()
}

// gbk is a message in the charset that much of China's mail still has.
func gbk(t *testing.T) string {
	t.Helper()
	text, err := simplifiedchinese.GBK.NewEncoder().String("小李，你好！\n\n下周一上午十点在三楼会议室开会，讨论第四季度的计划。\n请准时参加。\n\n王芳\n")
	if err != nil {
		t.Fatal(err)
	}
	subject, err := simplifiedchinese.GBK.NewEncoder().String("会议通知：第四季度计划")
	if err != nil {
		t.Fatal(err)
	}
	return "From: =?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte("王芳")) + "?= <wang@sina.example>\nTo: li@sohu.example\nSubject: =?gbk?B?" +
		base64.StdEncoding.EncodeToString([]byte(subject)) + "?=\nDate: Mon, 23 Nov 2026 10:02:00 +0800\nMIME-Version: 1.0\nContent-Type: text/plain; charset=gbk\nContent-Transfer-Encoding: 8bit\n\n" + text
}

// inboxStory is a developer whose program sends mail.
func inboxStory(t *testing.T, b *browser) {
	d := openDesk(t)
	b.page(t, d.base)
	b.says(t, "No mail yet")
	b.photograph(t, "inbox-empty")
	d.put(t, "inbox", "li@sohu.example", gbk(t))
	b.says(t, "会议通知：第四季度计划") // it came without reloading
	for i, line := range []string{"Your invoice for October", "Password changed", "Welcome to Courier", "Weekly report: 12 shipments", "Reminder: stand-up at 10"} {
		d.put(t, []string{"inbox", "billing"}[i%2], "jane@example.org", "From: Courier <no-reply@courier.example>\nTo: jane@example.org\nSubject: "+line+"\n\nHello Jane, this is what your program has sent. Nobody else gets it.\n")
	}
	d.put(t, "inbox", "jane@example.org", letterOf(t, "code.eml"))
	order := d.put(t, "inbox", "jane@example.org", letterOf(t, "order.eml"))
	b.says(t, "Your order has shipped")
	b.says(t, "8 messages")
	b.until(t, `document.title.startsWith("(8) ")`)
	b.photograph(t, "inbox")

	b.click(t, "tbody a.subject")
	b.says(t, "Download")
	at := d.base + "/inbox/" + order.ID.String()
	for tab, says := range map[string]string{
		"html": "remote image", "text": "Lantern", "headers": "Message-ID", "source": "multipart/mixed", "parts": "multipart/related", "attachments": "receipt.csv",
		"transcript": "STARTTLS", "authentication": "dkim=pass", "links": "https://courier.example/track/4711", "checks": "",
	} {
		b.page(t, at+"?tab="+tab)
		b.says(t, says)
		b.photograph(t, "letter-"+tab)
	}
	b.page(t, at+"?tab=html&width=phone")
	b.photograph(t, "letter-phone")
	b.page(t, d.base+"/inbox?q=subject:order")
	b.says(t, "1 message")
	b.keys(t, "/")
	b.until(t, `document.activeElement.name === "q"`)
	b.page(t, d.base+"/inbox")
	b.keys(t, "jjx")
	b.until(t, `document.querySelectorAll("input[name=pick]:checked").length === 1`)
	b.click(t, `button[value="zh-Hans"]`)
	b.says(t, "封未读")
	b.click(t, "button[value=dark]")
	b.until(t, `document.documentElement.dataset.theme === "dark"`)
	b.photograph(t, "inbox-dark-zh")
	b.page(t, at)
	b.photograph(t, "letter-dark-zh")
	b.click(t, `button[value="en"]`)
	b.until(t, `document.documentElement.lang === "en"`)
	b.click(t, "button[value=auto]")
	b.until(t, `document.documentElement.dataset.theme === "auto"`)
	d.put(t, "an-inbox-whose-name-is-as-long-as-the-tag-of-an-address-may-be", "jane@example.org", "Subject: "+strings.Repeat("long", 60)+"\nContent-Type: text/plain; charset=x-"+strings.Repeat("y", 90)+"\n\n"+strings.Repeat("z", 900)+"\n")
	long := d.put(t, "inbox", "jane@example.org", "Subject: broken\nFrom: "+strings.Repeat("w", 300)+"\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="+strings.Repeat("b", 60)+"\n\nhttps://x.example/"+strings.Repeat("path", 90)+"\n")
	pages := []string{"/inbox", "/inbox?in=billing", "/inbox?q=subject:nothing"}
	for _, id := range []string{order.ID.String(), long.ID.String()} {
		for _, tab := range []string{"html", "text", "headers", "source", "parts", "attachments", "transcript", "authentication", "links", "checks"} {
			pages = append(pages, "/inbox/"+id+"?tab="+tab)
		}
	}
	slim(t, b, d.base, pages)
	b.narrow(t)
	b.page(t, d.base+"/inbox")
	b.says(t, "Your order has shipped")
	b.until(t, "document.documentElement.scrollWidth <= innerWidth")
	b.photograph(t, "inbox-narrow")
	b.wide(t)
	b.page(t, d.base+"/inbox")
	b.click(t, ".head .danger")
	b.says(t, "Delete all of these messages?")
	b.click(t, ".primary")
	b.says(t, "Deleted: 10")
	b.says(t, "No mail yet")
}
