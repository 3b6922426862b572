package route

import "github.com/posthouse/posthouse/internal/mail"

// Named returns the hop that the rule of a name would make of a recipient,
// whether its conditions fit or not. Of several with that name it is the first.
func (t *Table) Named(name string, q Question) (hop mail.Hop, ok bool) {
	for i := range t.rules {
		if t.rules[i].Name == name {
			to := subjectOf(q.To)
			return t.rules[i].hop(&to), true
		}
	}
	return mail.Hop{}, false
}

// Names are those of the rules, in their order, each once.
func (t *Table) Names() []string {
	var names []string
	seen := map[string]bool{}
	for i := range t.rules {
		if n := t.rules[i].Name; !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	return names
}
