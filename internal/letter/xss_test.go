package letter_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/posthouse/posthouse/internal/letter"
)

// payloads are the attempts of testdata/xss.list.
func payloads(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/xss.list")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	octets := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\f`, "\f", `\x00`, "\x00", `\x01`, "\x01")
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			all = append(all, octets.Replace(strings.TrimSuffix(line, "\n")))
		}
	}
	return all
}

// TestNothingRuns: of 1,000 attempts to run a script, none is left in the HTML that is made safe:
// as a browser reads it, there is no element or attribute but harmless ones.
func TestNothingRuns(t *testing.T) {
	all := payloads(t)
	if len(all) != 1000 {
		t.Fatalf("%d attempts", len(all))
	}
	for _, p := range all {
		for _, around := range []string{p, "<table><tr><td>" + p, "<a href=\"https://a.example/\">" + p + "</a>", "<p title='" + p + "'>"} {
			l := letter.Parse([]byte("Content-Type: text/html; charset=utf-8\r\n\r\n" + around))
			for _, safe := range []letter.Safe{{}, {Remote: true}} {
				got := l.Safe(safe).HTML
				if found := dangerous(t, got); found != "" {
					t.Errorf("%q leaves %s in %q", around, found, got)
				}
			}
		}
	}
}

// dangerous says what in HTML is not harmless, as a browser's parser sees it.
func dangerous(t *testing.T, source string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode || n.Type == html.ElementNode && n.Namespace != "" {
			return n.Data
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "style", "iframe", "frame", "frameset", "object", "embed", "applet", "form", "input", "button", "select", "textarea",
			"link", "meta", "base", "svg", "math", "video", "audio", "source", "template", "noscript", "title", "xmp", "plaintext", "area", "image":
			return n.Data
		}
		for _, a := range n.Attr {
			if bad(a) {
				return a.Key + "=" + a.Val
			}
		}
	}
	return ""
}

func bad(a html.Attribute) bool {
	value := strings.ToLower(a.Val)
	switch a.Key {
	case "href", "src":
		for _, fine := range []string{"https://", "http://", "mailto:", "data:image/png;base64,", "data:image/gif;base64,"} {
			if strings.HasPrefix(value, fine) {
				return false
			}
		}
		return true
	case "style":
		return strings.Contains(value, "url") || strings.Contains(value, "expression") || strings.Contains(value, "position")
	case "background", "action", "formaction", "srcdoc", "srcset", "poster", "ping", "cite":
		return true
	}
	return strings.HasPrefix(a.Key, "on") || strings.Contains(a.Key, ":")
}
