// Package admin is the way to see and steer a running house: a control API over
// HTTP with JSON, on a socket of this host. The commands ask it and never read the
// files of the daemon; a console can be served by the same handlers.
//
//	api := admin.New(admin.Options{Spool: engine, Dispatch: desk, Intake: intake, ...})
//	l, err := admin.Listen(filepath.Join(data, admin.SocketName))
//	go func() { served <- api.Serve(ctx, l) }() // ends soon after ctx has
//
// # Paths
//
//	GET  /v1/status                        who runs, since when, what is in the window and in the spool
//	GET  /v1/queue?filter=&after=&limit=   recipients that are not done, a page
//	GET  /v1/queue/tally?filter=&after=    counts of them by destination, a part at a time
//	POST /v1/queue/orders                  an [OrderRequest]: an order about a page of them
//	GET  /v1/destinations?after=&limit=    where mail waits, and how it goes there
//	GET  /v1/damaged?after=&limit=         messages in quarantine
//	GET  /v1/messages/ID                   one message and all its recipients
//	GET  /v1/messages/ID/text              its text, as it is
//	GET  /v1/messages/ID/story?after=      what the journal tells of it
//	GET  /v1/messages/ID/session           the [Session] by which it came in, as long as it is kept
//	GET  /v1/log?after=&since=&id=&follow= a stream of the journal: "fact" with a [LogEntry] each, whose place is the
//	                                       event's id; then "end" with a [LogEnd], or what comes if follow is 1
//	GET  /v1/overview?minutes=             how it goes: an [Overview]
//	GET  /metrics                          the same for Prometheus
//	GET  /livez, /readyz                   200 while the process answers, and while mail is taken in and sent out
//	GET  /v1/find?q=&after=&limit=         messages that the journal tells of, the newest first: a [FoundPage]
//	GET  /v1/sessions                      who speaks with the house: a [SessionPage]
//	GET  /v1/sessions/N                    one [Session] with its lines
//	GET  /v1/sessions/N/follow             a stream: "line" with a [TraceLine] each, at last "end" with the [Session]
//	POST /v1/sessions/N/cut                closes its connection: a [CutResult]
//	GET  /v1/explain?to=&from=&client=&login=&size=
//	POST /v1/spool/check                   lines of JSON while everything is read: [CheckLine]
//	POST /v1/reload                        a [Reloaded]
//
// Every answer is a JSON object but the text of a message, what is for Prometheus and
// supervisors, and streams, which are server-sent events with JSON for data; one that is no success is a [Fault]. Lists are paged: an answer that has a "next" goes on where "after"
// is given it, and a page may be empty and yet have a next, since the spool looks
// at a bounded number of messages for each. An ID in a path may be shortened to
// its first letters, as long as it means one message.
//
// # Who may
//
// [API] is a plain handler, and asks nobody who they are. [API.Serve] does: on a
// socket of this host the system says who is at the other end, and only root, the
// user whom the house runs as, and the members of the socket's group are answered.
// Whoever serves the handler by other means puts the operator's name into the
// context of each request with [As].
package admin
