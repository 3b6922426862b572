package sql

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/directory"
)

// query is a query with its parameters.
type query struct {
	text string
	args []string // the words that stand for its parameters, in their order
}

// prepare puts the parameters of a database into a query: "$1" or "?1".
func prepare(text string, mark byte) (query, error) {
	var q query
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "%{")
		b.WriteString(before)
		if !found {
			break
		}
		word, after, ok := strings.Cut(rest, "}")
		switch {
		case !ok || word != "name" && word != "user" && word != "domain":
			return q, errors.New("the query has a word behind %{ that is none of name, user and domain")
		case strings.HasSuffix(before, "'") || strings.HasSuffix(before, `"`):
			return q, fmt.Errorf("%%{%s} is a parameter and stands without quotes", word)
		}
		q.args = append(q.args, word)
		fmt.Fprintf(&b, "%c%d", mark, len(q.args))
		text = after
	}
	if len(q.args) == 0 {
		return q, errors.New("the query would give the same for everybody: it has none of %{name}, %{user} and %{domain}")
	}
	q.text = b.String()
	return q, nil
}

// values are those of the parameters for a name.
func (q *query) values(name string) []any {
	user, domain := directory.SplitName(name)
	of := map[string]string{"name": name, "user": user, "domain": domain}
	all := make([]any, len(q.args))
	for i, word := range q.args {
		all[i] = of[word]
	}
	return all
}
