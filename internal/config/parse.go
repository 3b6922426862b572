package config

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/posthouse/posthouse/internal/mail"
)

// Options are what Parse takes from outside.
type Options struct {
	// Env looks an environment variable up, as [os.LookupEnv] does. nil: none is
	// set.
	Env func(name string) (value string, ok bool)
}

// Parse reads a configuration of at most [MaxFile] octets. The name is for messages, and
// names of files in it are relative to the directory that it stands in. The error
// is of type [Problems].
func Parse(name string, src []byte, o Options) (*Config, error) {
	name = cmp.Or(name, "configuration") // an origin without a file is built in
	d := &decoder{problems: problems{file: name}, dir: filepath.Dir(name), env: o.Env}
	c := defaults()
	c.File = name
	if d.parse(src, c) {
		d.check(c)
	}
	if len(d.found) > 0 {
		slices.SortStableFunc(d.found, func(a, b Problem) int {
			return cmp.Or(a.Origin.Line-b.Origin.Line, a.Origin.Column-b.Origin.Column)
		})
		return nil, d.found
	}
	c.lines = d.lines
	return c, nil
}

// decoder turns a file into a Config.
type decoder struct {
	problems
	dir string // what names of files are relative to
	env func(string) (string, bool)
}

// parse reports whether the syntax allows a look at the whole.
func (d *decoder) parse(src []byte, c *Config) bool {
	if len(src) > MaxFile {
		d.add(mail.Origin{File: d.file, Line: 1, Column: 1}, "", "the file is longer than %d octets", MaxFile)
		return false
	}
	d.lines = strings.Split(string(src), "\n")
	if !d.checkText(src) {
		return false
	}
	src = hidePlaceholders(src)
	tokens, bad := hclsyntax.LexConfig(src, d.file, hcl.InitialPos)
	if len(bad) > 0 {
		d.diagnose(bad[:1]) // others are but its consequences
		return false
	}
	if !d.checkTokens(tokens) {
		return false
	}
	file, bad := hclsyntax.ParseConfig(src, d.file, hcl.InitialPos)
	d.diagnose(bad)
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok || len(bad) > 0 {
		return false
	}
	d.body(body, c.schema(d))
	return true
}

// diagnose takes over what HCL found, in our words where its own speak of what
// this language has not.
func (d *decoder) diagnose(found hcl.Diagnostics) {
	for _, bad := range found {
		at := mail.Origin{File: d.file, Line: 1, Column: 1}
		if bad.Subject != nil {
			at = d.origin(*bad.Subject)
		}
		text := strings.TrimSuffix(bad.Detail, ".")
		switch bad.Summary {
		case "Invalid multi-line string":
			text = "the closing quote is missing: a text ends on its line"
		case "Unsupported operator":
			text = "there are no operators here"
		case "Attribute redefined":
			text = "the setting is there twice"
		case "Error in function call":
			_, text, _ = strings.Cut(text, " failed: ")
		}
		d.add(at, "", "%s", showPlaceholders(strings.ReplaceAll(text, "\n", " ")))
	}
}

// body gives each setting and block of a body to those of the schema.
func (d *decoder) body(b *hclsyntax.Body, s schema) {
	for _, a := range sorted(b.Attributes) {
		if f := s.field(a.Name); f != nil {
			f.read(d, a.Expr, d.origin(a.NameRange))
			continue
		}
		d.unknown(d.origin(a.NameRange), s, a.Name)
	}
	for _, known := range s.blocks {
		var first *hclsyntax.Block
		for _, b := range b.Blocks {
			if b.Type != known.word {
				continue
			}
			if first != nil && known.once {
				d.add(d.origin(b.TypeRange), "put both into one", "there is a second block %q: the first is in line %d", b.Type, first.TypeRange.Start.Line)
				continue
			}
			first = b
			d.block(b, known)
		}
	}
	for _, b := range b.Blocks {
		if s.block(b.Type) == nil {
			d.unknown(d.origin(b.TypeRange), s, b.Type)
		}
	}
}

// block reads one block, after its label.
func (d *decoder) block(b *hclsyntax.Block, known block) {
	at := d.origin(b.TypeRange)
	label := ""
	switch {
	case known.label == "" && len(b.Labels) > 0:
		d.add(d.origin(b.LabelRanges[0]), fmt.Sprintf("write %s { ... }", known.word), "a block %q has no name", known.word)
		return
	case known.label != "" && len(b.Labels) != 1:
		d.add(at, fmt.Sprintf("write %s %q { ... }", known.word, known.label), "a block %q has one name", known.word)
		return
	case known.label != "":
		label = showPlaceholders(b.Labels[0])
		at = d.origin(b.LabelRanges[0])
		if label == "" || len(label) > maxQuoted && known.word != "domain" {
			d.add(at, "", "the name of a block has 1 to %d octets", maxQuoted)
			return
		}
	}
	if s, ok := known.open(d, label, at); ok {
		d.body(b.Body, s)
		s.close()
	}
}

// unknown tells that a word means nothing where it stands, and where it would
// mean something.
func (d *decoder) unknown(at mail.Origin, s schema, word string) {
	hint := didYouMean(word, s.words())
	switch {
	case strings.HasPrefix(word, "pass"):
		defer d.conceal(at.Line) // somebody has written it there
		hint = "no password is in this file: write password_file, password_env, password_command or password_credential"
	case s.field(word) != nil:
		hint = fmt.Sprintf("it is no block: write %s = ...", word)
	case s.block(word) != nil:
		hint = fmt.Sprintf("it is a block: write %s { ... }", strings.TrimSpace(word+" "+s.block(word).example()))
	case hint == "" && len(wordPlaces(word)) > 0:
		hint = "it belongs into " + strings.Join(wordPlaces(word), " or ")
	}
	d.add(at, hint, "there is no setting %q %s", clip(word), s.where())
}

func sorted(attributes hclsyntax.Attributes) []*hclsyntax.Attribute {
	var all []*hclsyntax.Attribute
	for _, a := range attributes {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *hclsyntax.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
	return all
}

// lookupEnv is the function env of the language.
func (d *decoder) lookupEnv(name string) (string, error) {
	if d.env != nil {
		if v, ok := d.env(name); ok {
			return v, nil
		}
	}
	return "", fmt.Errorf("the environment variable %q is not set", clip(name))
}
