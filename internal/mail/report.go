package mail

import (
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/smtp"
)

// Action is what a report tells the sender of a recipient (RFC 3464, 2.3.3).
// The zero value is no report.
type Action uint8

// The actions.
const (
	ReportFailed    Action = iota + 1 // given up
	ReportDelayed                     // not yet, and still trying
	ReportDelivered                   // in its mailbox
	ReportRelayed                     // handed to a host that will not report itself
	ReportExpanded                    // an alias made several recipients of one
)

var actionNames = [...]string{"", "failed", "delayed", "delivered", "relayed", "expanded"}

// String prints the word that stands in a report, "" for none.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return ""
}

// Owes says which report RFC 3461, 5.2 wants for the outcome, given the NOTIFY
// of its recipient. For [Deferred] the answer is whether the sender wants to
// hear of a delay; when it is one is for the schedule to say. Trace is the
// by-trace of RFC 2852: relaying is reported to whoever did not say NEVER.
//
// Nothing is ever owed for a message whose sender is null (RFC 3461, 5.2), which
// an outcome cannot know: whoever calls Owes asks that first. Nor is anything
// for Discarded and Removed: who did that, by rule or by hand, has their own
// record. ReportExpanded is no outcome of an attempt: who expands the alias owes
// it (5.2.7.3).
func (o Outcome) Owes(n smtp.Notify, trace bool) Action {
	told := n != 0
	switch {
	case n&smtp.NotifyNever != 0:
		return 0
	case o.Fate == Delivered && n&smtp.NotifySuccess != 0:
		return ReportDelivered // 5.2.3
	case o.Fate == Relayed && (trace || n&smtp.NotifySuccess != 0 && (!o.Forwarded || sabotage.Is("the next host reports, and so do we"))):
		return ReportRelayed // 5.2.2 (b); the next host reports otherwise, 5.2.1
	case o.Fate == Deferred && (!told || n&smtp.NotifyDelay != 0):
		return ReportDelayed // 5.2.5
	case (o.Fate == Failed || o.Fate == Expired) && (!told || n&smtp.NotifyFailure != 0 || sabotage.Is("who wants no failure told hears of it")):
		return ReportFailed // 5.2.6
	}
	return 0
}
