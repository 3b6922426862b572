package transport

import (
	"context"
	"errors"

	"github.com/posthouse/posthouse/internal/mail"
)

// InOrder is transports that lead to the same place, such as the servers of one
// mail store. A delivery goes by the first of them; recipients of whom it cannot
// say anything, since its host could not be talked with, go by the next one.
type InOrder []Transport

// Deliver implements [Transport].
func (ts InOrder) Deliver(ctx context.Context, d Delivery) []mail.Outcome {
	s := NewSheet(&d)
	tried := ""
	for i, t := range ts {
		open := s.Open()
		if len(open) == 0 {
			break
		}
		some := d
		some.Recipients = make([]int, len(open))
		for k, position := range open {
			some.Recipients[k] = d.Recipients[position]
		}
		last := i == len(ts)-1 || ctx.Err() != nil
		for k, o := range t.Deliver(ctx, some) {
			if o.HostDown && !o.Unsure && !last {
				tried = Line(tried + o.Host + ": " + o.Reply.Text + "; ")
				continue
			}
			o.Tried = tried + o.Tried
			s.Decide(open[k], o)
		}
		if last {
			break
		}
	}
	return s.Outcomes()
}

// Close ends the connections that the transports keep.
func (ts InOrder) Close(ctx context.Context) error {
	var errs []error
	for _, t := range ts {
		if c, ok := t.(interface{ Close(context.Context) error }); ok {
			errs = append(errs, c.Close(ctx))
		}
	}
	return errors.Join(errs...)
}
