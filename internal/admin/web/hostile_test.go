package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/web"
)

// TestHostileHouse draws the pages of a house in which every text is markup: names of hosts
// and what they call themselves, replies, subjects, addresses, certificates, settings. Each
// of a thousand pieces is in each field of a list once, and is text there; where a page has a
// field once, every second is, for they come in pairs that only call in two ways.
func TestHostileHouse(t *testing.T) {
	pieces := int64(len(admintest.Markup()))
	if pieces < 1000 {
		t.Fatalf("there are only %d pieces", pieces)
	}
	for _, way := range []struct {
		long  int
		pages []string
	}{
		{2, []string{"/messages/x", "/sessions/1", "/explain?to=a@b.example"}},
		{50, []string{"/queue", "/queue/messages", "/sessions", "/find?q=x", "/overview"}},
	} {
		api := admintest.NewHostile(way.long)
		c := web.New(web.Options{API: api, Rights: func() web.Rights { return web.Rights{Guests: web.Operator} }})
		for _, path := range way.pages {
			for api.From.Store(0); api.From.Load() < pieces; api.From.Add(int64(way.long)) {
				w := answerOf(c, http.MethodGet, path)
				if w.Code != http.StatusOK {
					t.Fatalf("%s: %d %s", path, w.Code, w.Body)
				}
				text := w.Body.String()
				if !strings.Contains(text, admintest.Ran) {
					t.Fatalf("%s shows nothing of the markup", path)
				}
				if wrong := foreign(text); wrong != nil {
					t.Fatalf("%s, piece %d: %s", path, api.From.Load(), wrong)
				}
			}
		}
	}
}
