package directory

import (
	"context"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Explainer is a [Directory] that can tell the lines by which it came to an answer.
type Explainer interface {
	// Explain returns the lines that Lookup goes by, in the order in which it does,
	// at most 1,000.
	Explain(ctx context.Context, to smtp.Path) ([]Line, error)
}

// Line is what the directory says of one name.
type Line struct {
	Name   string
	Kind   Kind
	To     []string // the names, addresses, commands and files that stand there
	Origin mail.Origin
}
