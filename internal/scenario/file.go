package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
)

// MaxFile is the longest file that is read, in octets.
const MaxFile = 256 << 10

// File is what a file says: rules for all inboxes, and for single ones by their names.
type File struct {
	All     []Rule
	Inboxes map[string][]Rule
}

// ParseFile reads a file such as
//
//	on "rcpt" {
//	  to    = "bob@*"
//	  tries = "1-2"
//	  reply = "450 4.2.0 Come back later"
//	}
//	inbox "shop" {
//	  on "dot" { drop = true }
//	}
//
// The settings of a block are the fields of [Rule]. Errors name the line.
func ParseFile(name string, text []byte) (File, error) {
	f := File{Inboxes: map[string][]Rule{}}
	if len(text) > MaxFile {
		return f, fmt.Errorf("%s: a scenario has %d KiB at most", name, MaxFile>>10)
	}
	parsed, faults := hclparse.NewParser().ParseHCL(text, name)
	if faults.HasErrors() {
		return f, told(faults)
	}
	content, faults := parsed.Body.Content(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{onBlock, {Type: "inbox", LabelNames: []string{"name"}}}})
	if faults.HasErrors() {
		return f, told(faults)
	}
	for _, b := range content.Blocks {
		if b.Type == "on" {
			if err := add(&f.All, b); err != nil {
				return f, err
			}
			continue
		}
		if err := f.inbox(b); err != nil {
			return f, err
		}
	}
	return f, nil
}

var onBlock = hcl.BlockHeaderSchema{Type: "on", LabelNames: []string{"step"}}

func (f *File) inbox(b *hcl.Block) error {
	content, faults := b.Body.Content(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{onBlock}})
	if faults.HasErrors() {
		return told(faults)
	}
	rules := f.Inboxes[b.Labels[0]]
	for _, on := range content.Blocks {
		if err := add(&rules, on); err != nil {
			return err
		}
	}
	f.Inboxes[b.Labels[0]] = rules
	return nil
}

// add appends the rule of a block.
func add(rules *[]Rule, b *hcl.Block) error {
	r := Rule{On: Step(b.Labels[0])}
	attributes, faults := b.Body.JustAttributes()
	if faults.HasErrors() {
		return told(faults)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		if err := r.set(name, a); err != nil {
			return fmt.Errorf("%s: %w", place(a.Range), err)
		}
	}
	if _, err := r.compile(); err != nil {
		return fmt.Errorf("%s: %w", place(b.DefRange), err)
	}
	if len(*rules) == MaxRules {
		return fmt.Errorf("%s: a scenario has %d rules at most", place(b.DefRange), MaxRules)
	}
	*rules = append(*rules, r)
	return nil
}

// set sets a field by its word.
func (r *Rule) set(name string, a *hcl.Attribute) error {
	v, faults := a.Expr.Value(nil)
	if faults.HasErrors() {
		return fmt.Errorf("%s: %s", name, faults[0].Summary)
	}
	if name == "drop" {
		if v.IsNull() || v.Type() != cty.Bool {
			return errors.New("drop is true or false")
		}
		r.Drop = v.True()
		return nil
	}
	words := map[string]*string{
		"to": &r.To, "from": &r.From, "login": &r.Login, "tries": &r.Tries, "reply": &r.Reply, "delay": &r.Delay,
		"trickle": &r.Trickle, "certificate": (*string)(&r.Certificate), "greylist": &r.Greylist, "rate": &r.Rate,
	}
	to := words[name]
	switch {
	case to == nil:
		return fmt.Errorf("%s is no setting of a rule", name)
	case v.IsNull() || v.Type() != cty.String:
		return fmt.Errorf("%s wants a text in quotes", name)
	}
	*to = v.AsString()
	return nil
}

func place(r hcl.Range) string {
	return fmt.Sprintf("%s:%d:%d", r.Filename, r.Start.Line, r.Start.Column)
}

// told is the first of what is wrong.
func told(faults hcl.Diagnostics) error {
	d := faults[0]
	what := strings.TrimSuffix(d.Summary+": "+d.Detail, ".")
	if d.Subject == nil {
		return errors.New(what)
	}
	return fmt.Errorf("%s: %s", place(*d.Subject), what)
}
