package letter

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxLinks is how many links are listed.
const maxLinks = 1000

// Link is where a letter leads.
type Link struct {
	URL  string
	Text string // what the reader clicks on; in plain text the address itself
	HTML bool   // it stands in the HTML
	// Image: it is fetched when the letter is opened, and not followed.
	Image bool
}

// Links are the addresses in the letter, each once, those of the HTML first.
func (l *Letter) Links() []Link {
	var list linkList
	list.html(l.HTML())
	left := maxLinks
	for at := range addresses(l.Text()) {
		list.add(Link{URL: trimAddress(at.text), Text: trimAddress(at.text)})
		if left--; left == 0 {
			break
		}
	}
	return list.links
}

// trimAddress leaves out what belongs to the sentence.
func trimAddress(s string) string {
	s = strings.TrimRight(s, ".,;:!?*_~。，；：！？、」』”’")
	for _, pair := range []string{"()", "[]", "{}", "（）"} {
		open, shut := pair[:len(pair)/2], pair[len(pair)/2:]
		if strings.HasSuffix(s, shut) && !strings.Contains(s, open) {
			s = strings.TrimRight(strings.TrimSuffix(s, shut), ".,;:!?")
		}
	}
	return s
}

// linkList gathers links.
type linkList struct {
	links []Link
	seen  map[string]bool
}

func (c *linkList) add(l Link) {
	l.Text = clip(strings.Join(strings.Fields(printable(l.Text)), " "), 200)
	l.URL = printable(strings.TrimSpace(l.URL))
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme == "" || len(l.URL) > 4000 || c.seen[l.URL] || len(c.links) == maxLinks {
		return
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https", "mailto", "tel", "ftp", "sms":
	default:
		return
	}
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[l.URL] = true
	c.links = append(c.links, l)
}

// html gathers those of HTML, with what stands between <a> and </a>.
func (c *linkList) html(source string) {
	var open *Link
	var text strings.Builder
	end := func() {
		if open != nil {
			open.Text = text.String()
			c.add(*open)
			open = nil
		}
	}
	eachToken(source, func(t *html.Token) {
		switch {
		case t.Type == html.TextToken && open != nil && text.Len() < 1000:
			text.WriteString(t.Data)
		case t.Type == html.EndTagToken && t.DataAtom == atom.A:
			end()
		case t.Type == html.StartTagToken && (t.DataAtom == atom.A || t.DataAtom == atom.Area):
			end()
			open = &Link{URL: attribute(t, "href"), HTML: true}
			text.Reset()
		case t.DataAtom == atom.Img && t.Type != html.EndTagToken:
			c.add(Link{URL: attribute(t, "src"), Text: attribute(t, "alt"), HTML: true, Image: true})
			if open != nil {
				text.WriteString(attribute(t, "alt"))
			}
		}
	})
	end()
}

func attribute(t *html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
