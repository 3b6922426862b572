package letter

import (
	"net/url"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Safe says how HTML is made safe.
type Safe struct {
	// CID is the address at which the console gives the part with a Content-ID; nil, or
	// "": the image is not shown.
	CID func(id string) string
	// Remote lets images come from the network, which tells their host who reads the
	// letter, and when.
	Remote bool
}

// Harmless is HTML for a sandboxed frame, and what had to go.
type Harmless struct {
	HTML    string
	Blocked int // images of other hosts that are not shown
	Missing int // images that the letter should have had with it
}

// Safe returns the letter's HTML for a frame without scripts, forms and access to the page
// around it: no script, style sheet, form, frame, plug-in or event handler is left, no
// address but of images and links, links open a page of their own and tell nobody where
// they were followed. It is to be shown in a sandboxed frame with a policy of its own (CSP) all the
// same: this is one wall of two.
func (l *Letter) Safe(s Safe) Harmless {
	h := Harmless{}
	clean := policy().Sanitize(l.HTML())
	var b strings.Builder
	eachToken(clean, func(t *html.Token) {
		if t.DataAtom == atom.Img && t.Type != html.TextToken && !s.image(t, &h) {
			return
		}
		b.WriteString(t.String())
	})
	h.HTML = b.String()
	return h
}

// image puts the right source into an image, and reports whether it is shown.
func (s Safe) image(t *html.Token, h *Harmless) bool {
	for i := range t.Attr {
		a := &t.Attr[i]
		if a.Key != "src" {
			continue
		}
		id, inside := cutScheme(a.Val, "cid")
		switch {
		case inside && s.CID != nil && s.CID(id) != "":
			a.Val = s.CID(id)
		case inside:
			h.Missing++
			a.Val = ""
		case isImageData(a.Val):
		case s.Remote && isRemote(a.Val):
		default:
			h.Blocked++
			a.Val = ""
		}
		if a.Val == "" {
			t.Attr = append(t.Attr[:i], t.Attr[i+1:]...)
		}
		return true
	}
	return false
}

func cutScheme(address, scheme string) (rest string, ok bool) {
	if len(address) <= len(scheme) || !strings.EqualFold(address[:len(scheme)], scheme) || address[len(scheme)] != ':' {
		return "", false
	}
	rest = address[len(scheme)+1:]
	if plain, err := url.PathUnescape(rest); err == nil {
		rest = plain
	}
	return rest, true
}

func isRemote(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// isImageData reports whether an address holds the image itself, of a kind that runs nothing.
func isImageData(address string) bool {
	for _, kind := range []string{"png", "jpeg", "gif", "webp"} {
		if strings.HasPrefix(address, "data:image/"+kind+";base64,") {
			return true
		}
	}
	return false
}

// policy says what may stay.
func policy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("a", "abbr", "address", "article", "aside", "b", "bdi", "big", "blockquote", "br", "caption", "center", "cite", "code",
		"col", "colgroup", "dd", "del", "details", "div", "dl", "dt", "em", "figcaption", "figure", "font", "footer", "h1", "h2", "h3", "h4",
		"h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "main", "mark", "nav", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s",
		"samp", "section", "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
		"time", "tr", "tt", "u", "ul", "var", "wbr")
	p.AllowNoAttrs().OnElements("a", "font", "img", "span")
	p.AllowAttrs("align", "valign", "dir", "lang", "title", "width", "height", "bgcolor", "color", "border").Globally()
	p.AllowAttrs("cellpadding", "cellspacing", "colspan", "rowspan", "span", "nowrap", "scope").OnElements("table", "td", "th", "tr", "col", "colgroup")
	p.AllowAttrs("face", "size").OnElements("font", "hr")
	p.AllowAttrs("start", "type").OnElements("ol", "ul", "li")
	p.AllowAttrs("alt", "src").OnElements("img")
	p.AllowAttrs("href").OnElements("a")
	p.AllowStyles(properties...).MatchingHandler(harmlessStyle).Globally()
	p.AllowURLSchemes("http", "https", "mailto", "tel", "cid")
	p.AllowDataURIImages()
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	return p
}

// properties are those of style that stay: none that fetches something, or covers what is not
// the letter's.
var properties = []string{
	"background-color", "border", "border-bottom", "border-bottom-color", "border-bottom-style", "border-bottom-width", "border-collapse",
	"border-color", "border-left", "border-left-color", "border-left-style", "border-left-width", "border-radius", "border-right",
	"border-right-color", "border-right-style", "border-right-width", "border-spacing", "border-style", "border-top", "border-top-color",
	"border-top-style", "border-top-width", "border-width", "box-sizing", "caption-side", "clear", "color", "direction", "display", "float",
	"font", "font-family", "font-size", "font-style", "font-variant", "font-weight", "height", "letter-spacing", "line-height",
	"list-style-position", "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-height",
	"max-width", "min-height", "min-width", "mso-line-height-rule", "opacity", "overflow", "overflow-wrap", "padding", "padding-bottom",
	"padding-left", "padding-right", "padding-top", "table-layout", "text-align", "text-decoration", "text-indent", "text-overflow",
	"text-transform", "vertical-align", "visibility", "white-space", "width", "word-break", "word-spacing", "word-wrap",
}

// harmlessStyle reports whether a value is made of words, numbers and colours only.
func harmlessStyle(value string) bool {
	lower := strings.ToLower(value)
	return len(value) <= 500 && !strings.ContainsAny(value, `\<>{};@`) &&
		!strings.Contains(lower, "url") && !strings.Contains(lower, "expression") && !strings.Contains(lower, "image") &&
		!strings.Contains(lower, "/*") && !strings.Contains(lower, "script")
}
