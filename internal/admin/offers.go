package admin

import "net/http"

// offer is an operation and who does it.
type offer struct {
	Operation
	handler http.Handler
}

// What many may be asked for.
const (
	aboutAfter  = "go on behind this place: the \"next\" of a page"
	aboutLimit  = "at most so many"
	aboutFilter = "which recipients, as posthouse queue list --help tells"
)

// offers are all there is to be asked of this house.
func (a *API) offers() []offer {
	all := a.queueOffers()
	all = append(all, a.houseOffers()...)
	all = append(all, a.relayOffers()...)
	all = append(all, a.clusterOffers()...)
	if a.opts.Meter != nil {
		all = append(all, a.meterOffers()...)
	}
	if a.opts.Find != nil {
		all = append(all, offer{Operation{
			Pattern: "GET /v1/find", About: "Finds messages in the journal, the newest first.",
			Query:  map[string]string{"q": "words, as posthouse find --help tells", "after": aboutAfter, "limit": aboutLimit},
			Answer: FoundPage{},
		}, a.json(a.search)})
	}
	if a.opts.Sessions != nil {
		all = append(all, a.sessionOffers()...)
	}
	return all
}

// queueOffers are about mail.
func (a *API) queueOffers() []offer {
	filtered := map[string]string{"filter": aboutFilter, "after": aboutAfter, "limit": aboutLimit}
	paged := map[string]string{"after": aboutAfter, "limit": aboutLimit}
	return []offer{
		{Operation{Pattern: "GET /v1/queue", About: "Lists recipients that are not done, by the age of their messages.", Query: filtered, Answer: QueuePage{}}, a.json(a.list)},
		{Operation{Pattern: "GET /v1/queue/tally", About: "Counts them by destination, a part at a time.", Query: map[string]string{"filter": aboutFilter, "after": aboutAfter}, Answer: Tally{}}, a.json(a.tally)},
		{Operation{Pattern: "POST /v1/queue/orders", About: "Gives an order about a page of them: hold, release, retry, reroute, drop or bounce.", Body: OrderRequest{}, Answer: OrderResult{}}, a.json(a.order)},
		{Operation{Pattern: "GET /v1/destinations", About: "Tells where mail waits, and how it goes there.", Query: paged, Answer: DestinationPage{}}, a.json(a.destinations)},
		{Operation{Pattern: "GET /v1/damaged", About: "Lists messages in quarantine.", Query: paged, Answer: DamagePage{}}, a.json(a.damaged)},
		{Operation{Pattern: "GET /v1/messages/{id}", About: "Tells of a message in the queue, with a page of its recipients.", Query: paged, Answer: Message{}}, a.json(a.message)},
		{Operation{Pattern: "GET /v1/messages/{id}/story", About: "Tells what the journal knows of a message.", Query: paged, Answer: Story{}}, a.json(a.story)},
		{Operation{Pattern: "GET /v1/messages/{id}/text", About: "The text of a message in the queue, as it is.", Kind: "message/rfc822"}, a.bounded(a.text)},
		{Operation{Pattern: "GET /v1/explain", About: "Tells the way that mail would go, and why.", Query: map[string]string{
			"to": "recipient", "from": "sender", "client": "address of the client", "login": "who has logged in", "size": "octets",
		}, Answer: Explanation{}}, a.json(a.explain)},
		{Operation{Pattern: "GET /v1/log", About: "Tells the journal, entry by entry; the id of each event is its place.", Query: map[string]string{
			"after": "only what comes behind this place; \"now\": what comes from now on", "since": "only what was recorded then or later (RFC 3339)",
			"id": "only of this message", "follow": "1: and what comes, without end",
		}, Events: map[string]any{"fact": LogEntry{}, "end": LogEnd{}}}, a.bounded(a.streaming(a.log))},
	}
}

// houseOffers are about the house as a whole.
func (a *API) houseOffers() []offer {
	return []offer{
		{Operation{Pattern: "GET /v1/status", About: "Tells who runs, since when, and how much there is.", Answer: Status{}}, a.json(a.status)},
		{Operation{Pattern: "POST /v1/reload", About: "Puts the configuration in place anew: all of it or nothing.", Answer: Reloaded{}}, a.json(a.reload)},
		{Operation{Pattern: "POST /v1/spool/check", About: "Reads the whole spool, and tells what is wrong: objects, a line each.", Answer: CheckLine{}, Kind: "application/x-ndjson"}, a.bounded(a.check)},
		{Operation{Pattern: "GET /v1/openapi.json", About: "This document.", Answer: map[string]any{}}, a.json(a.openapi)},
		{Operation{Pattern: "GET /livez", About: "Answers while the process does.", Kind: "text/plain"}, a.bounded(a.Live)},
		{Operation{Pattern: "GET /readyz", About: "Answers 200 while mail is taken in and sent out, and else 503.", Kind: "text/plain"}, a.bounded(a.Ready)},
	}
}

// meterOffers are about how it goes.
func (a *API) meterOffers() []offer {
	return []offer{
		{Operation{Pattern: "GET /v1/overview", About: "Tells how it goes: the last minutes, and all since the start.", Query: map[string]string{"minutes": "how many, up to 1440"}, Answer: Overview{}}, a.json(a.overview)},
		{Operation{Pattern: "GET /metrics", About: "The same for Prometheus.", Kind: "text/plain"}, a.bounded(a.metrics().ServeHTTP)},
	}
}

// sessionOffers are about who speaks with the house.
func (a *API) sessionOffers() []offer {
	return []offer{
		{Operation{Pattern: "GET /v1/sessions", About: "Lists the sessions that live, and the last ones that failed.", Answer: SessionPage{}}, a.json(a.sessions)},
		{Operation{Pattern: "GET /v1/sessions/{id}", About: "Tells of one session, with its lines.", Answer: Session{}}, a.json(a.session)},
		{Operation{Pattern: "GET /v1/sessions/{id}/follow", About: "Tells the lines of a session, and then each as it is said.", Events: map[string]any{"line": TraceLine{}, "end": Session{}}}, a.bounded(a.streaming(a.followSession))},
		{Operation{Pattern: "POST /v1/sessions/{id}/cut", About: "Closes the connection of a session at once.", Answer: CutResult{}}, a.json(a.cutSession)},
		{Operation{Pattern: "GET /v1/messages/{id}/session", About: "Tells of the session by which a message came in, as long as it is kept.", Answer: Session{}}, a.json(a.sessionOfMessage)},
		{Operation{Pattern: "GET /v1/messages/{id}/sessions", About: "Lists the sessions by which a message came in, and was to go out, as long as they are kept.", Answer: CarriedBy{}}, a.json(a.sessionsOfMessage)},
	}
}

// relayOffers are about the relays where the house logs in with tokens.
func (a *API) relayOffers() []offer {
	return []offer{
		{Operation{Pattern: "GET /v1/relays", About: "Tells how it is with the tokens for relays.", Answer: RelayList{}}, a.json(a.relays)},
		{Operation{Pattern: "POST /v1/relays/{route}/login", About: "Begins a login at a relay: what a person is asked to do.", Answer: RelayPrompt{}}, a.json(a.beginLogin)},
		{Operation{Pattern: "POST /v1/relays/{route}/wait", About: "Waits a while until the person has done so.", Body: RelayWait{}, Answer: RelayLogin{}}, a.json(a.awaitLogin)},
		{Operation{Pattern: "POST /v1/relays/{route}/token", About: "Takes over a refresh token that was got elsewhere.", Body: RelayToken{}, Answer: RelayLogin{}}, a.json(a.takeToken)},
	}
}
