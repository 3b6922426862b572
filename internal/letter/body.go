package letter

import (
	"slices"
	"strings"
)

// Text returns the text of the letter: every plain text that is not an attachment. It
// is "" if the letter has only HTML; [Letter.Words] is never without need.
func (l *Letter) Text() string { return l.join("text/plain") }

// HTML returns the HTML of the letter as it came: anything may be in it. See [Letter.Safe].
func (l *Letter) HTML() string { return l.join("text/html") }

// Words is what the letter says, without markup: its text, or else what its HTML says.
func (l *Letter) Words() string {
	if text := l.Text(); strings.TrimSpace(text) != "" {
		return text
	}
	return plain(l.HTML())
}

func (l *Letter) join(kind string) string {
	var b strings.Builder
	for _, p := range l.body {
		if p.Type != kind {
			continue
		}
		text, _, _ := p.readText()
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		b.WriteString(text)
		if b.Len() > MaxText {
			break
		}
	}
	return strings.TrimSuffix(clip(b.String(), MaxText), "...")
}

// Read returns a text part in UTF-8, and the charset that it was read as. It is "" for
// other parts, and cut if there is more than MaxText of it.
func (p *Part) Read() (text, charset string, cut bool) {
	if !strings.HasPrefix(p.Type, "text/") && p.Type != "message/delivery-status" {
		return "", "", false
	}
	return p.readText()
}

// Attachments are the files that came with the letter: what is neither its text, nor shown
// within it.
func (l *Letter) Attachments() []*Part {
	shown := map[*Part]bool{}
	for _, p := range l.Inline() {
		shown[p] = true
	}
	var all []*Part
	for _, p := range l.leaves() {
		if !slices.Contains(l.body, p) && !shown[p] {
			all = append(all, p)
		}
	}
	return all
}

// Inline are the parts that the HTML can show, by their Content-ID (RFC 2392).
func (l *Letter) Inline() []*Part {
	var all []*Part
	for _, p := range l.leaves() {
		if p.ContentID != "" && strings.HasPrefix(p.Type, "image/") && p.Disposition != "attachment" {
			all = append(all, p)
		}
	}
	return all
}

// ByCID returns the part with a Content-ID, or nil.
func (l *Letter) ByCID(id string) *Part {
	for _, p := range l.parts {
		if p.ContentID != "" && p.ContentID == id {
			return p
		}
	}
	return nil
}

// leaves are the parts with a content of their own. A message that is attached is one,
// and what is in it belongs to it.
func (l *Letter) leaves() []*Part {
	var all []*Part
	var walk func(p *Part)
	walk = func(p *Part) {
		if !p.multipart() {
			all = append(all, p)
			return
		}
		for _, c := range p.Parts {
			walk(c)
		}
	}
	walk(l.Root)
	return all
}

// maxBody is how many texts a letter is put together of; more are attachments.
const maxBody = 50

// choose finds the parts that are the letter itself, and tells what is wrong with their
// characters.
func (l *Letter) choose() {
	for _, p := range l.leaves() {
		text := p.Type == "text/plain" || p.Type == "text/html"
		if text && p.Disposition != "attachment" && p.Name == "" && len(l.body) < maxBody {
			l.body = append(l.body, p)
			p.proof()
		}
		p.encoded()
	}
}

// proof reads a text once to tell what is wrong with it.
func (p *Part) proof() {
	text, read, cut := p.readText()
	if cut {
		p.letter.fault(p.Path, "it is longer than %d MiB; the rest is only in the source", MaxText>>20)
	}
	_, claimed := byLabel(strings.ToLower(p.Charset))
	if p.Charset != "" && claimed == "" && !isASCII(p.Charset) {
		p.letter.fault(p.Path, "its charset %q is not known; it was read as %s", p.Charset, read)
	} else if claimed != "" && claimed != read && !ascii([]byte(text)) {
		p.letter.fault(p.Path, "it says that it is in %s, and is in %s", p.Charset, read)
	} else if claimed == "" && !ascii([]byte(text)) {
		p.letter.fault(p.Path, "it does not say its charset; it was read as %s", read)
	}
	if strings.Contains(text, "\uFFFD") {
		p.letter.fault(p.Path, "some of its characters make no sense in %s", read)
	}
}

func isASCII(label string) bool {
	return strings.EqualFold(label, "us-ascii") || strings.EqualFold(label, "ascii")
}

// encoded tells of an encoding that is not known.
func (p *Part) encoded() {
	if !p.identity() && p.Encoding != "base64" && p.Encoding != "quoted-printable" {
		p.letter.fault(p.Path, "its Content-Transfer-Encoding %q is not known", clip(p.Encoding, 40))
	}
}
