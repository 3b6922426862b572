// Package dispatch is the desk that sends mail out. It takes what arrived and
// what is due in the spool, asks the route where each recipient goes, lets the
// schedule say when, has a transport carry it, and records what came of it, with
// the reports that are owed, before anything else happens to the recipient.
//
// A [Desk] is run by one call, and fed and steered by others while it runs:
//
//	desk := dispatch.New(dispatch.Options{Spool: engine, Name: "node-1", Settings: s, ...})
//	go func() { done <- desk.Run(ctx) }() // nil after Shutdown; spool.ErrFailed: exit with 74
//	desk.Arrive(dispatch.Arrival{...})    // what intake has committed
//	desk.Order(ctx, query, order)         // what an operator wants
//	desk.Reload(ctx, settings)            // a new configuration
//	desk.Shutdown(ctx)                    // what is under way is settled, the rest goes back
//
// # One goroutine
//
// One goroutine owns the schedule and all that is known of the mail in the
// window. It never waits for anything but its inbox and the clock. What takes
// time runs beside it and comes back to the inbox as a message: a plan (the DNS),
// a delivery, a report that is written, and the calls to the spool. Those are
// made one after the other by at most one goroutine, which settles, gives back
// and leases, in this order: so what is leased is never older than what was
// settled. Settlements that come while it is busy go together in its next call.
//
// # The way of a recipient
//
//	leased ─► planning ─► queued ─► flying ─► recording ─► gone
//	             │           │                    │
//	             └───────────┴── given back ◄─────┘ an operator's order came first
//
// A recipient that is deferred leaves the window when that is recorded, and is
// leased again when its time comes; so its whole state is in the spool whenever
// nothing is being done with it.
//
// An operator's order goes to the spool first. It wins there over what is under
// way here, and the recipient is leased anew with it.
//
// # Losing the lease
//
// If our epoch is over (we could not beat in time), what is not in flight is
// forgotten, and we join anew. What is in flight cannot be called back: if the
// recipient has meanwhile been leased again by us, the outcome counts; else it is
// lost, and if the mail was taken by the other side, the journal says that a
// second copy is possible. The same holds when a call to the spool is in doubt.
package dispatch
