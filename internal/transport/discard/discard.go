// Package discard is the transport to nowhere: the mail of a route that says so is
// thrown away, and the outcome tells which route it was.
package discard

import (
	"context"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// Transport throws mail away. The text is not read.
type Transport struct{}

var _ transport.Transport = Transport{}

// Deliver implements [transport.Transport].
func (Transport) Deliver(_ context.Context, d transport.Delivery) []mail.Outcome {
	s := transport.NewSheet(&d)
	s.DecideAll(mail.Outcome{
		Fate: mail.Discarded, Local: true,
		Reply: transport.Local(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "Discarded by route %q (%s)", d.Hop.Route, d.Hop.Origin),
	})
	return s.Outcomes()
}
