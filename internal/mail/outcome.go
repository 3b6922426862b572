package mail

import (
	"fmt"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Origin is the setting that decided something. The zero value is a default of
// the program.
type Origin struct {
	File         string
	Line, Column int
}

// String prints "file:line:column", or "built in". What has no lines, such as a
// flag, is printed as it is.
func (o Origin) String() string {
	switch {
	case o.File == "":
		return "built in"
	case o.Line == 0:
		return o.File
	}
	return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
}

// Hop is the next step of a recipient's way, and who says so.
type Hop struct {
	Route       string // name of the route that decided
	Transport   string // name of what carries it: "remote", "maildir", "lmtp" ...
	Destination string // what it carries it to: a domain, a host, a mailbox
	Origin      Origin
}

// Fate is what an attempt made of a recipient.
type Fate uint8

// The fates.
const (
	Delivered Fate = iota + 1 // in a mailbox, or accepted by what stands for one
	Relayed                   // another host has taken responsibility
	Deferred                  // not now; to be tried again
	Failed                    // never
	Expired                   // deferred for too long
	Discarded                 // thrown away, as a named rule says
	Removed                   // by a named operator
	Expanded                  // an alias: the recipients that it stands for took its place
)

var fateNames = [...]string{"", "delivered", "relayed", "deferred", "failed", "expired", "discarded", "removed", "expanded"}

func (f Fate) String() string {
	if int(f) < len(fateNames) {
		return fateNames[f]
	}
	return ""
}

// Final reports whether the fate is the recipient's last.
func (f Fate) Final() bool { return f != Deferred && f != 0 }

// Outcome is what an attempt made of one recipient.
type Outcome struct {
	Recipient int // index in Envelope.To
	Fate      Fate
	At        time.Time
	Took      time.Duration

	// Reply is what the other side said, or what we would have said in its
	// place. It is never nil for Deferred, Failed and Expired.
	Reply *smtp.Reply
	// Local: the reply is ours, and the other side was not asked.
	Local bool
	// Stage is the verb that was answered; unknown if it did not get so far.
	Stage smtp.Verb
	// Unsure: the link was cut between the final dot and its reply, so that the
	// other side may have the message (a second copy is then possible).
	Unsure bool
	// OurLimit: deferred because of a limit of our own; it is no attempt.
	OurLimit bool
	// HostDown: nothing can be said of the recipient, since its host could not be
	// talked with; others with the same destination need not be tried now.
	HostDown bool

	// Stuck: deferred until a person mends something of ours, such as a login that was
	// taken back. Time alone does not give it up.
	Stuck bool

	Host string // name of the host that answered; "" if none did
	Addr string // its address, "192.0.2.1:25"
	TLS  string // "TLS 1.3 TLS_AES_128_GCM_SHA256"; "" without
	// Forwarded reports are the other side's duty: it offers DSN.
	Forwarded bool
	// Encoded: the text was encoded anew, for a host that takes 7 bits only.
	Encoded bool
	// Tried tells the hosts that came before this one in the attempt, and what
	// was wrong with each: "mx1.example [192.0.2.1]:25: connection refused; ...".
	Tried string
}
