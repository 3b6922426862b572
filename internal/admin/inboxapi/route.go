package inboxapi

import (
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/inbox"
)

// route is an operation and who does it: the mux and the document are made of these.
type route struct {
	admin.Operation
	time time.Duration // for the answer; 0: [writeTime]
	do   func(w http.ResponseWriter, r *http.Request) error
}

// Operations are all that the API does, for the OpenAPI document of a house.
func Operations() (all []admin.Operation) {
	for _, r := range new(API).routes() {
		all = append(all, r.Operation)
	}
	return all
}

// What many may be asked for.
const (
	aboutQuery = `search, such as: from:bob subject:"big sale" has:attachment -is:read after:2h words`
	aboutLimit = "how many at most; 50, and never more than 1000"
	aboutSince = "id of a message; only what came later counts"
)

// Paths that others begin with.
const (
	pathInbox    = "/api/v1/inbox/{name}"
	pathMessages = pathInbox + "/messages"
	pathMessage  = pathMessages + "/{id}"
)

// routes are all calls.
func (a *API) routes() []route {
	all := a.inboxRoutes()
	all = append(all, a.messageRoutes()...)
	all = append(all, a.scenarioRoutes()...)
	return append(all, a.mailpitRoutes()...)
}

// inboxRoutes are about many messages.
func (a *API) inboxRoutes() []route {
	searched := map[string]string{"q": aboutQuery}
	return []route{
		{Operation: admin.Operation{
			Pattern: "GET /api/v1/inboxes", About: "Lists the inboxes that have a message.", Answer: inboxList{},
		}, do: a.inboxes},
		{Operation: admin.Operation{
			Pattern: "GET " + pathMessages, About: "Lists messages of an inbox, the newest first; * is every inbox.", Answer: page{},
			Query: map[string]string{"q": aboutQuery, "before": "the last id of the page before", "limit": aboutLimit},
		}, do: a.list},
		{Operation: admin.Operation{
			Pattern: "DELETE " + pathMessages, About: "Deletes all messages of an inbox, or those of a search.", Query: searched, Answer: deleted{},
		}, do: a.deleteAll},
		{Operation: admin.Operation{
			Pattern: "GET " + pathInbox + "/wait", About: "Waits for a message, and reads it. 408: none came in time.", Answer: detail{},
			Query: map[string]string{
				"to": "a word among the recipients", "from": "a word in the sender", "subject": "a word in the subject", "q": aboutQuery,
				"since": aboutSince, "timeout": "how long, such as 10s; 30s, and never more than 5m",
			},
		}, time: maxWait + writeTime, do: a.wait},
		{Operation: admin.Operation{
			Pattern: "GET " + pathInbox + "/events", About: "Tells of each message as it comes, without end; the id of each event is that of the message.",
			Query: map[string]string{"q": aboutQuery, "since": aboutSince + "; else what comes from now on"}, Events: map[string]any{"message": inbox.Message{}},
		}, do: a.events},
	}
}

// messageRoutes are about one.
func (a *API) messageRoutes() []route {
	return []route{
		{Operation: admin.Operation{
			Pattern: "GET " + pathMessage, About: "Reads a message for people: text, links, one-time codes, parts, checks, what is wrong with it.", Answer: detail{},
		}, do: a.get},
		{Operation: admin.Operation{
			Pattern: "PATCH " + pathMessage, About: "Marks a message as read or unread.", Body: mark{}, Answer: inbox.Message{},
		}, do: a.mark},
		{Operation: admin.Operation{Pattern: "DELETE " + pathMessage, About: "Deletes a message.", Answer: deleted{}}, do: a.delete},
		{Operation: admin.Operation{
			Pattern: "GET " + pathMessage + "/source", About: "The message as it came.", Kind: "message/rfc822",
		}, time: sourceTime, do: a.source},
		{Operation: admin.Operation{
			Pattern: "GET " + pathMessage + "/part/{path}", Kind: "application/octet-stream",
			About: "The content of a part, decoded, as a download. The path is such as 1.2, and 0 the message itself.",
		}, time: sourceTime, do: a.part},
		{Operation: admin.Operation{
			Pattern: "GET " + pathMessage + "/html", About: "The HTML, made safe: as words, and to a browser in a frame of no origin.", Kind: "text/plain",
			Query: map[string]string{"remote": "1: images of other hosts are loaded"},
		}, do: a.html},
		{Operation: admin.Operation{
			Pattern: "GET " + pathMessage + "/transcript", About: "Tells the SMTP dialogue in which a message came, with times.", Answer: transcript{},
		}, do: a.transcript},
		{Operation: admin.Operation{
			Pattern: "POST " + pathMessage + "/release", About: "Sends a message on to real addresses, by the routes of the house.", Body: Release{}, Answer: Released{},
		}, do: a.release},
	}
}

// scenarioRoutes are about how an inbox misbehaves.
func (a *API) scenarioRoutes() []route {
	const path = pathInbox + "/scenario"
	return []route{
		{Operation: admin.Operation{Pattern: "GET " + path, About: "Tells how an inbox misbehaves; * is for every inbox.", Answer: rules{}}, do: a.scenario},
		{Operation: admin.Operation{Pattern: "PUT " + path, About: "Begins a scenario; tries are counted from now.", Body: rules{}, Answer: rules{}}, do: a.play},
		{Operation: admin.Operation{Pattern: "DELETE " + path, About: "Ends a scenario.", Answer: rules{}}, do: a.endPlay},
	}
}
