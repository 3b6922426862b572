package smtp

// Dialogue is the order of commands in a session (RFC 5321, 4.1.4), for the
// side that answers and for the side that asks. It starts after the greeting.
//
// Ask [Dialogue.Permit] before a command is carried out; tell what came of it
// with [Dialogue.Done] when it was answered positively. The zero value is a
// dialogue of SMTP; one of LMTP starts as Dialogue{LMTP: true}.
type Dialogue struct {
	LMTP bool // RFC 2033

	hello    Verb
	tls      bool
	authed   bool
	mail     bool
	tried    bool // RCPT was given, whatever came of it
	rcpts    int
	chunking bool // BDAT was begun
	binary   bool // BODY=BINARYMIME
	utf8     bool // SMTPUTF8
}

// Hello returns how the client introduced itself: VerbHELO, VerbEHLO,
// VerbLHLO, or VerbUnknown before it did.
func (d *Dialogue) Hello() Verb { return d.hello }

// InTransaction reports whether MAIL was accepted and the transaction is not
// at its end.
func (d *Dialogue) InTransaction() bool { return d.mail }

// Recipients returns the number of recipients that were accepted in this
// transaction.
func (d *Dialogue) Recipients() int { return d.rcpts }

// Chunking reports whether the transaction's text has begun to come by BDAT.
func (d *Dialogue) Chunking() bool { return d.chunking }

// Authenticated reports whether AUTH succeeded.
func (d *Dialogue) Authenticated() bool { return d.authed }

// TLS reports whether STARTTLS succeeded.
func (d *Dialogue) TLS() bool { return d.tls }

// Permit returns nil if a command may come now, and the reply that refuses it
// if not.
func (d *Dialogue) Permit(c Command) *Reply {
	switch c := c.(type) {
	case Hello:
		if d.LMTP != (c.With == VerbLHLO) {
			return Replyf(CodeUnrecognized, EnhancedCode{5, 5, 1}, "%s is not spoken here, say %s", c.With, d.helloWord())
		}
	case Mail:
		return d.refuse(d.needHello(), d.noTransaction())
	case Rcpt:
		return d.refuse(d.needMail(), d.noChunks(), d.fits(c.To))
	case Data:
		return d.refuse(d.needMail(), d.noChunks(), d.notBinary(), d.needRcpt())
	case Bdat:
		return d.refuse(d.needMail(), d.needRcpt())
	case StartTLS:
		return d.refuse(d.needHello(), d.noTransaction(), d.onlyOnce(d.tls, "TLS is already in use"))
	case Auth:
		return d.refuse(d.needHello(), d.noTransaction(), d.onlyOnce(d.authed, "Already authenticated"))
	case Etrn:
		return d.refuse(d.needHello(), d.noTransaction())
	case XClient:
		return d.refuse(d.noTransaction())
	}
	return nil
}

func (d *Dialogue) refuse(reasons ...*Reply) *Reply {
	for _, r := range reasons {
		if r != nil {
			return r
		}
	}
	return nil
}

func outOfOrder(text string) *Reply {
	return &Reply{CodeBadSequence, EnhancedCode{5, 5, 1}, text}
}

func (d *Dialogue) helloWord() string {
	if d.LMTP {
		return "LHLO"
	}
	return "HELO or EHLO"
}

func (d *Dialogue) needHello() *Reply {
	if d.hello != VerbUnknown {
		return nil
	}
	return outOfOrder("Say " + d.helloWord() + " first")
}

func (d *Dialogue) noTransaction() *Reply {
	if !d.mail {
		return nil
	}
	return outOfOrder("A transaction is in progress; RSET gives it up")
}

func (d *Dialogue) needMail() *Reply {
	if d.mail {
		return nil
	}
	if r := d.needHello(); r != nil {
		return r
	}
	return outOfOrder("Say MAIL first")
}

func (d *Dialogue) noChunks() *Reply {
	if !d.chunking {
		return nil
	}
	return outOfOrder("BDAT has begun; BDAT goes on, or RSET")
}

func (d *Dialogue) notBinary() *Reply {
	if !d.binary {
		return nil
	}
	return outOfOrder("BODY=BINARYMIME needs BDAT")
}

// fits refuses a recipient that is not ASCII in a transaction without SMTPUTF8
// (RFC 6531, 3.5).
func (d *Dialogue) fits(to Path) *Reply {
	if d.utf8 || to.IsASCII() {
		return nil
	}
	return notASCII(VerbRCPT)
}

func (d *Dialogue) needRcpt() *Reply {
	switch {
	case d.rcpts > 0:
		return nil
	case d.tried && d.LMTP:
		return outOfOrder("No valid recipients") // RFC 2033, 4.2
	case d.tried:
		return &Reply{CodeFailed, EnhancedCode{5, 5, 1}, "No valid recipients"}
	}
	return outOfOrder("Say RCPT first")
}

func (d *Dialogue) onlyOnce(already bool, text string) *Reply {
	if !already {
		return nil
	}
	return outOfOrder(text)
}

// Tried notes that RCPT was given, whatever came of it.
func (d *Dialogue) Tried() { d.tried = d.mail }

// Done notes that a command was answered positively: a DATA by its final
// reply, a Bdat by the reply to its chunk, an Auth by 235, a StartTLS when TLS
// stands.
func (d *Dialogue) Done(c Command) {
	switch c := c.(type) {
	case Hello:
		d.EndTransaction()
		d.hello = c.With
	case Mail:
		d.mail, d.binary, d.utf8 = true, c.Params.Body == BodyBinary, c.Params.UTF8
	case Rcpt:
		d.tried = true
		d.rcpts++
	case Data, Rset:
		d.EndTransaction()
	case Bdat:
		d.chunking = true
		if c.Last {
			d.EndTransaction()
		}
	case StartTLS:
		// RFC 3207, 4.2: all that was learned before is forgotten.
		*d = Dialogue{LMTP: d.LMTP, tls: true}
	case Auth:
		d.authed = true
	case XClient:
		// The session starts over, behind the greeting.
		*d = Dialogue{LMTP: d.LMTP, tls: d.tls}
	}
}

// EndTransaction forgets the transaction: it is at its end, or was given up.
func (d *Dialogue) EndTransaction() {
	d.mail, d.tried, d.rcpts, d.chunking, d.binary, d.utf8 = false, false, 0, false, false, false
}
