package milter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
)

// changes is what a program wants changed in a message.
type changes struct {
	may    uint32 // what it said that it may do
	room   int64  // octets that are left for a body
	count  int
	octets int // of fields
	fields []policy.FieldEdit
	rest   policy.Edits // but for fields and body
	body   *sheet
	junk   bool
	reason string
}

// Bounds of what a program may want.
const (
	maxChanges = 10_000 // pieces of a body included
	maxFields  = 1 << 20
)

// take notes a change.
func (c *changes) take(p packet) error {
	if c.count++; c.count > maxChanges {
		return fmt.Errorf("it wants more than %d changes", maxChanges)
	}
	right := map[byte]uint32{
		addsField: mayAddFields, insertsField: mayAddFields, changesField: mayChangeFields, replacesBody: mayChangeBody,
		changesSender: mayChangeSender, addsRcpt: mayAddRcpts, addsRcptWith: mayAddRcptsWith, removesRcpt: mayRemoveRcpts,
		wantsItAsJunk: mayQuarantine,
	}[p.code]
	if c.may&right == 0 {
		return fmt.Errorf("it does %q, which it did not say that it would", p.code)
	}
	switch p.code {
	case addsField:
		return c.field(policy.AppendField, 0, p.data)
	case insertsField, changesField:
		return c.fieldAt(p)
	case replacesBody:
		return c.text(p.data)
	case wantsItAsJunk:
		why, _ := cut(p.data)
		c.junk, c.reason = true, clean(why)
		return nil
	}
	return c.envelope(p)
}

// fieldAt: a field is inserted behind as many as the number says, where our own trace is the
// first; and that which is changed is counted from 1.
func (c *changes) fieldAt(p packet) error {
	if len(p.data) < 4 {
		return errors.New("it changes a field without saying where")
	}
	at := int(min(binary.BigEndian.Uint32(p.data), maxChanges))
	if p.code == insertsField {
		return c.field(policy.InsertField, max(at-1, 0), p.data[4:])
	}
	return c.field(policy.ReplaceField, max(at, 1), p.data[4:])
}

func (c *changes) field(op policy.FieldOp, at int, data []byte) error {
	if c.octets += len(data); c.octets > maxFields {
		return fmt.Errorf("it wants more than %d octets of fields", maxFields)
	}
	name, rest := cut(data)
	value, _ := cut(rest)
	if op == policy.ReplaceField && value == "" {
		op = policy.RemoveField
	}
	c.fields = append(c.fields, policy.FieldEdit{Op: op, Field: policy.Field{Name: name, Value: value}, At: at})
	return nil
}

func (c *changes) text(piece []byte) error {
	if c.room -= int64(len(piece)); c.room < 0 {
		return errors.New("it wants a body that is too large")
	}
	if c.body == nil {
		c.body = &sheet{}
	}
	_, err := c.body.Write(piece)
	return err
}

func (c *changes) envelope(p packet) error {
	text, _ := cut(p.data)
	address := strings.TrimSuffix(strings.TrimPrefix(text, "<"), ">")
	path, err := smtp.Path{}, error(nil)
	if address != "" || p.code != changesSender {
		path, err = smtp.ParseMailbox(address)
	}
	if err != nil {
		return fmt.Errorf("it names %.60q, which is no address", text)
	}
	switch p.code {
	case changesSender:
		c.rest.From = &path
	case removesRcpt:
		c.rest.RemoveTo = append(c.rest.RemoveTo, path)
	default: // arguments of the new recipient are for who sends to it: we know how to
		c.rest.AddTo = append(c.rest.AddTo, smtp.Rcpt{To: path})
	}
	return nil
}

// edits are all changes. Fields that only go on top, as signatures do, are told as such: then
// nothing needs to be written again.
func (c *changes) edits() (policy.Edits, error) {
	e := c.rest
	onTop := func(f policy.FieldEdit) bool { return f.Op == policy.InsertField && f.At == 0 }
	if c.body == nil && !slices.ContainsFunc(c.fields, func(f policy.FieldEdit) bool { return !onTop(f) }) {
		for _, f := range slices.Backward(c.fields) { // the last one is above the others
			e.Top = append(e.Top, f.Field)
		}
		return e, nil
	}
	e.Fields = c.fields
	if c.body == nil {
		return e, nil
	}
	e.Body = c.body
	return e, c.body.end()
}

func (c *changes) close() {
	if c.body != nil {
		c.body.close()
	}
}
