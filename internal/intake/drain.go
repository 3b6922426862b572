package intake

import "github.com/posthouse/posthouse/smtp"

// Drain says whether the desk takes no more mail: who connects, or begins a transaction, is
// told 421, and what programs of this host submit waits. Transactions that have begun come to
// their end, and reports are written as ever.
func (d *Desk) Drain(on bool) { d.draining.Store(on) }

// Draining reports whether the desk takes no more mail.
func (d *Desk) Draining() bool { return d.draining.Load() }

// welcome is nil, or what is told to who brings mail while none is taken.
func (d *Desk) welcome() error {
	if !d.Draining() {
		return nil
	}
	return smtp.Replyf(smtp.CodeUnavailable, smtp.EnhancedCode{4, 3, 2}, "This host takes no mail now, another does")
}
