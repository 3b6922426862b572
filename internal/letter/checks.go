package letter

import (
	"fmt"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Check is something that mail programs make trouble about.
type Check struct {
	Serious bool   // the letter is not read as it was meant
	What    string // a sentence without its full stop
	Count   int    // how often
	Who     string // which mail programs; "" for all, or for people
}

// clipped is where Gmail cuts a letter, in octets of HTML.
const clipped = 102 << 10

// Checks are the things in a letter that mail programs drop, block or show otherwise
// than browsers do, and those that people need and it lacks. It has none if nothing was
// found.
func (l *Letter) Checks() []Check {
	c := checker{counts: map[int]int{}}
	source := l.HTML()
	if source != "" {
		eachToken(source, c.token)
		c.letter(l, source)
	}
	var found []Check
	for i, known := range trouble {
		if n := c.counts[i]; n > 0 {
			known.Count = n
			found = append(found, known)
		}
	}
	return found
}

// What is looked for.
const (
	usesScript = iota
	usesForm
	usesFrame
	usesStyleLink
	usesMedia
	usesSVG
	usesPosition
	usesFlex
	usesBackground
	usesDataImage
	usesRelative
	usesPlainHTTP
	tooLong
	noText
	noAlt
	noWidth
	noLang
	styleInBody
	usesVariables
	usesImport
	unsubscribes
)

var trouble = [...]Check{
	usesScript:     {Serious: true, What: "scripts and event handlers are removed"},
	usesForm:       {Serious: true, What: "forms are removed, or do nothing", Who: "Gmail, Outlook, Yahoo"},
	usesFrame:      {Serious: true, What: "frames, objects and plug-ins are removed"},
	usesStyleLink:  {Serious: true, What: "style sheets of other hosts are not loaded", Who: "Gmail, Outlook, Yahoo"},
	usesMedia:      {Serious: true, What: "video and audio are not played", Who: "Gmail, Outlook, Yahoo"},
	usesSVG:        {Serious: true, What: "SVG is not shown", Who: "Gmail, Outlook, Yahoo"},
	usesPosition:   {Serious: true, What: "\"position\" is ignored", Who: "Gmail, Outlook, Yahoo"},
	usesFlex:       {What: "\"display: flex\" and \"grid\" are ignored; tables are not", Who: "Outlook for Windows"},
	usesBackground: {What: "background images are not shown", Who: "Outlook for Windows"},
	usesDataImage:  {Serious: true, What: "images in data: addresses are not shown; attach them, and show them by cid:", Who: "Gmail, Outlook"},
	usesRelative:   {Serious: true, What: "addresses without a host lead nowhere in a letter"},
	usesPlainHTTP:  {What: "addresses in plain http: are warned of, or not loaded", Who: "Gmail, Apple Mail"},
	tooLong:        {Serious: true, What: "the HTML has more than 102 KiB: the rest is hidden", Who: "Gmail"},
	noText:         {What: "there is no plain text beside the HTML: filters distrust that, and watches and screen readers show nothing"},
	noAlt:          {What: "images say nothing to who does not see them (no alt)"},
	noWidth:        {What: "images have no width, and are shown in full size", Who: "Outlook for Windows"},
	noLang:         {What: "the HTML does not say its language (lang), which screen readers need"},
	styleInBody:    {What: "a <style> outside of <head> is removed", Who: "Gmail, Yahoo"},
	usesVariables:  {What: "CSS variables are not known", Who: "Gmail, Outlook"},
	usesImport:     {Serious: true, What: "@import and @font-face are ignored", Who: "Gmail, Outlook, Yahoo"},
	unsubscribes:   {What: "it has a link to unsubscribe, but no List-Unsubscribe field", Who: "Gmail, Yahoo"},
}

// checker counts what is found.
type checker struct {
	counts  map[int]int
	inBody  bool
	inStyle bool
	hasLang bool
}

func (c *checker) token(t *html.Token) {
	switch t.Type {
	case html.TextToken:
		if c.inStyle {
			c.css(t.Data)
		}
		return
	case html.EndTagToken:
		if t.DataAtom == atom.Style {
			c.inStyle = false
		}
		return
	case html.StartTagToken, html.SelfClosingTagToken:
	default:
		return
	}
	c.element(t)
	for _, a := range t.Attr {
		c.attribute(a)
	}
}

func (c *checker) element(t *html.Token) {
	switch t.DataAtom {
	case atom.Script:
		c.counts[usesScript]++
	case atom.Form, atom.Input, atom.Select, atom.Textarea:
		c.counts[usesForm]++
	case atom.Iframe, atom.Frame, atom.Object, atom.Embed, atom.Applet:
		c.counts[usesFrame]++
	case atom.Video, atom.Audio:
		c.counts[usesMedia]++
	case atom.Svg:
		c.counts[usesSVG]++
	case atom.Body:
		c.inBody = true
	case atom.Html:
		c.hasLang = attribute(t, "lang") != ""
	case atom.Style:
		c.inStyle = true
		if c.inBody {
			c.counts[styleInBody]++
		}
	case atom.Link:
		if strings.Contains(strings.ToLower(attribute(t, "rel")), "stylesheet") {
			c.counts[usesStyleLink]++
		}
	case atom.Img:
		c.image(t)
	}
}

func (c *checker) image(t *html.Token) {
	has := map[string]bool{}
	for _, a := range t.Attr {
		has[a.Key] = true
	}
	if !has["alt"] {
		c.counts[noAlt]++
	}
	if !has["width"] && !strings.Contains(attribute(t, "style"), "width") {
		c.counts[noWidth]++
	}
	if strings.HasPrefix(attribute(t, "src"), "data:") {
		c.counts[usesDataImage]++
	}
}

func (c *checker) attribute(a html.Attribute) {
	switch {
	case strings.HasPrefix(a.Key, "on"):
		c.counts[usesScript]++
	case a.Key == "style":
		c.css(a.Val)
	case a.Key == "background":
		c.counts[usesBackground]++
	case a.Key == "href" || a.Key == "src":
		c.address(strings.TrimSpace(strings.ToLower(a.Val)))
	}
}

func (c *checker) address(at string) {
	switch {
	case strings.HasPrefix(at, "http://"):
		c.counts[usesPlainHTTP]++
	case strings.HasPrefix(at, "javascript:"):
		c.counts[usesScript]++
	case at != "" && at[0] != '#' && !strings.Contains(at, ":") && !strings.HasPrefix(at, "{"):
		c.counts[usesRelative]++
	}
}

// styles are what is looked for in CSS, in lower case.
var styles = []struct {
	what int
	word string
}{
	{usesPosition, "position:absolute"},
	{usesPosition, "position: absolute"},
	{usesPosition, "position:fixed"},
	{usesPosition, "position: fixed"},
	{usesFlex, "display:flex"},
	{usesFlex, "display: flex"},
	{usesFlex, "display:grid"},
	{usesFlex, "display: grid"},
	{usesBackground, "background-image"},
	{usesBackground, "background:url"},
	{usesBackground, "background: url"},
	{usesVariables, "var(--"},
	{usesImport, "@import"},
	{usesImport, "@font-face"},
}

func (c *checker) css(style string) {
	style = strings.ToLower(style)
	for _, s := range styles {
		c.counts[s.what] += strings.Count(style, s.word)
	}
}

// letter looks at what the letter has beside its HTML.
func (c *checker) letter(l *Letter, source string) {
	set := func(i int, found bool) {
		if found {
			c.counts[i] = 1
		}
	}
	set(tooLong, len(source) > clipped)
	set(noText, strings.TrimSpace(l.Text()) == "")
	set(noLang, !c.hasLang)
	set(unsubscribes, strings.Contains(strings.ToLower(source), "unsubscribe") && l.Get("List-Unsubscribe") == "")
}

// String prints a check on one line.
func (c Check) String() string {
	s := c.What
	if c.Count > 1 {
		s = fmt.Sprintf("%s (%d times)", s, c.Count)
	}
	if c.Who != "" {
		s += " [" + c.Who + "]"
	}
	return s
}
