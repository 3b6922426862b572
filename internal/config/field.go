package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/posthouse/posthouse/internal/mail"
)

// schema is what may stand in the file or in a block of it. The same table reads
// settings, finds unknown ones and shows them.
type schema struct {
	title  string // of the block, as it is written: `listen "smtp"`; "": the file
	fields []field
	blocks []block
	done   func()
}

// field is a setting: its word, how it is read and how it is shown.
type field struct {
	word string
	read func(d *decoder, e hclsyntax.Expression, at mail.Origin)
	show func() (text string, value any, origin mail.Origin) // text "": not set
}

// block is a kind of block.
type block struct {
	word  string
	label string // an example of its name; "": it has none
	once  bool
	// open makes a new one; it is not ok if the name is wrong, which it has told.
	open func(d *decoder, label string, at mail.Origin) (s schema, ok bool)
	// all are those that there are.
	all func() []schema
}

func (b *block) example() string {
	if b.label == "" {
		return ""
	}
	return fmt.Sprintf("%q", b.label)
}

func (s schema) field(word string) *field {
	for i := range s.fields {
		if s.fields[i].word == word {
			return &s.fields[i]
		}
	}
	return nil
}

func (s schema) block(word string) *block {
	for i := range s.blocks {
		if s.blocks[i].word == word {
			return &s.blocks[i]
		}
	}
	return nil
}

func (s schema) words() []string {
	var all []string
	for _, f := range s.fields {
		all = append(all, f.word)
	}
	for _, b := range s.blocks {
		all = append(all, b.word)
	}
	return all
}

func (s schema) where() string {
	if s.title == "" {
		return "outside of the blocks"
	}
	return "in " + s.title
}

func (s schema) close() {
	if s.done != nil {
		s.done()
	}
}

// one is a setting with a single value.
func one[T any](word string, to *Setting[T], k kind[T]) field {
	return field{
		word: word,
		read: func(d *decoder, e hclsyntax.Expression, at mail.Origin) {
			to.Origin = at // also if it is wrong: then nothing else is missing
			if v, ok := readOne(d, e, k); ok {
				to.Value = v
			}
		},
		show: func() (string, any, mail.Origin) {
			v := k.show(to.Value)
			if v == nil {
				return "", nil, to.Origin
			}
			return literal(v), v, to.Origin
		},
	}
}

// list is a setting with several values, each once.
func list[T any](word string, to *Setting[[]T], k kind[T]) field {
	return listOf(word, to, k, true)
}

// series is a list in which a value may come again.
func series[T any](word string, to *Setting[[]T], k kind[T]) field {
	return listOf(word, to, k, false)
}

func listOf[T any](word string, to *Setting[[]T], k kind[T], once bool) field {
	return field{
		word: word,
		read: func(d *decoder, e hclsyntax.Expression, at mail.Origin) {
			*to = Setting[[]T]{readAll(d, e, k, once), at}
		},
		show: func() (string, any, mail.Origin) {
			if len(to.Value) == 0 {
				return "", nil, to.Origin
			}
			values, texts := make([]any, len(to.Value)), make([]string, len(to.Value))
			for i, v := range to.Value {
				values[i] = k.show(v)
				texts[i] = literal(values[i])
			}
			return "[" + strings.Join(texts, ", ") + "]", values, to.Origin
		},
	}
}

func readAll[T any](d *decoder, e hclsyntax.Expression, k kind[T], once bool) []T {
	all := elements(e)
	if len(all) == 0 {
		d.add(d.origin(e.Range()), "leave the setting out", "the list is empty")
	}
	var values []T
	seen := map[any]bool{}
	for _, e := range all {
		v, ok := readOne(d, e, k)
		if !ok {
			continue
		}
		key := k.show(v)
		if once && seen[key] {
			d.add(d.origin(e.Range()), "", "%s is named twice", literal(key))
		}
		seen[key] = true
		values = append(values, v)
	}
	return values
}

func readOne[T any](d *decoder, e hclsyntax.Expression, k kind[T]) (T, bool) {
	var zero T
	v, ok := d.value(e)
	if !ok {
		return zero, false
	}
	r, err := k.read(d, v)
	if err != nil {
		d.add(d.origin(e.Range()), "", "%v", err)
		return zero, false
	}
	return r, true
}

// literal prints text, a number or a bool as the file would say it.
func literal(v any) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
		case r == '$' && strings.HasPrefix(s[i:], "${"):
			b.WriteByte('$') // HCL's way of writing it
		case r == '%' && strings.HasPrefix(s[i:], "%{") && strings.HasSuffix(s[:i], "%"):
			b.WriteByte('%') // see hidePlaceholders
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}
