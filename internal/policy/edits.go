package policy

import (
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Edits are changes to a message and its envelope. A text that is changed is no
// longer what came in, which the journal tells. Fields that only go on top of it are
// better returned as Top: nothing needs to be written again for them.
type Edits struct {
	Top    []Field      // on top of the message, in this order
	Fields []FieldEdit  // applied in order
	Body   mail.Content // takes the place of the body; nil: it stays. Lines end with CRLF

	From     *smtp.Path // takes the place of the sender; nil: it stays
	AddTo    []smtp.Rcpt
	RemoveTo []smtp.Path // as they were given at RCPT, or added
}

// Field is a header field. Line ends in the value stay where the next line begins with
// white space, and get some where it does not; NUL is left out. A field whose name is none is nothing.
type Field struct{ Name, Value string }

// FieldOp is how a field is changed.
type FieldOp uint8

// The ways to change a field.
const (
	AppendField  FieldOp = iota // at the end of the header
	InsertField                 // before the field at place At, counted from 0; at the end if there are not so many
	ReplaceField                // the At-th of its name, counted from 1; appended if there is none
	RemoveField                 // the At-th of its name, counted from 1
)

// FieldEdit changes one field. Names are compared without case.
type FieldEdit struct {
	Op FieldOp
	Field
	At int
}

func (e *Edits) none() bool {
	return !e.text() && !e.envelope() && len(e.Top) == 0
}

// text reports whether the text is to be written again.
func (e *Edits) text() bool { return len(e.Fields) > 0 || e.Body != nil }

func (e *Edits) envelope() bool { return e.From != nil || len(e.AddTo) > 0 || len(e.RemoveTo) > 0 }
