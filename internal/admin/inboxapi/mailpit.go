package inboxapi

import (
	"net/http"
	"runtime"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
)

// mailpitRoutes are the calls of Mailpit's API that test helpers use most, in its shape.
// They know one inbox, which is all of ours together.
func (a *API) mailpitRoutes() []route {
	return append(a.mailpitManyRoutes(), a.mailpitOneRoutes()...)
}

// What many may be asked for.
const (
	aboutStart = "how many of the newest are passed over"
	aboutFound = "search, in the words of this inbox, with ! for - too"
	aboutZone  = "where dates of the search are, such as Asia/Shanghai; UTC"
)

// mailpitManyRoutes are about all messages.
func (a *API) mailpitManyRoutes() []route {
	searched := map[string]string{"query": aboutFound, "tz": aboutZone}
	return []route{
		{Operation: admin.Operation{Pattern: "GET /api/v1/info", About: "Mailpit: how many messages there are.", Answer: mailpitInfo{}}, do: a.mailpitInfo},
		{Operation: admin.Operation{Pattern: "GET /api/v1/webui", About: "Mailpit: what its pages may offer.", Answer: mailpitPages{}}, do: a.mailpitPages},
		{Operation: admin.Operation{
			Pattern: "GET /api/v1/messages", About: "Mailpit: lists messages, the newest first.", Answer: mailpitList{},
			Query: map[string]string{"start": aboutStart, "limit": aboutLimit},
		}, do: a.mailpitList},
		{Operation: admin.Operation{
			Pattern: "GET /api/v1/search", About: "Mailpit: lists messages that fit a search.", Answer: mailpitList{},
			Query: map[string]string{"query": aboutFound, "tz": aboutZone, "start": aboutStart, "limit": aboutLimit},
		}, do: a.mailpitSearch},
		{Operation: admin.Operation{
			Pattern: "DELETE /api/v1/messages", About: "Mailpit: deletes messages; all, without IDs.", Body: mailpitIDs{}, Kind: "text/plain",
		}, do: a.mailpitDelete},
		{Operation: admin.Operation{
			Pattern: "DELETE /api/v1/search", About: "Mailpit: deletes what fits a search.", Query: searched, Kind: "text/plain",
		}, do: a.mailpitDeleteSearch},
		{Operation: admin.Operation{
			Pattern: "PUT /api/v1/messages", About: "Mailpit: marks messages as read: by IDs, by a search, or all.",
			Query: map[string]string{"tz": aboutZone}, Body: mailpitMark{}, Kind: "text/plain",
		}, do: a.mailpitMark},
		{Operation: admin.Operation{
			Pattern: "POST /api/v1/send", About: "Mailpit: puts a message into the inbox.", Body: mailpitSend{}, Answer: mailpitSent{},
		}, time: sourceTime, do: a.mailpitSend},
	}
}

// mailpitOneRoutes are about one; "latest" is the newest.
func (a *API) mailpitOneRoutes() []route {
	const one = "/api/v1/message/{id}"
	return []route{
		{Operation: admin.Operation{Pattern: "GET " + one, About: "Mailpit: a message; latest is the newest.", Answer: mailpitMessage{}}, do: a.mailpitMessage},
		{Operation: admin.Operation{Pattern: "GET " + one + "/headers", About: "Mailpit: its header.", Answer: map[string][]string{}}, do: a.mailpitHeaders},
		{Operation: admin.Operation{Pattern: "GET " + one + "/raw", About: "Mailpit: its source.", Kind: "text/plain"}, time: sourceTime, do: a.mailpitRaw},
		{Operation: admin.Operation{
			Pattern: "GET " + one + "/part/{path}", About: "Mailpit: a part of it.", Kind: "application/octet-stream",
		}, time: sourceTime, do: a.mailpitPart},
		{Operation: admin.Operation{
			Pattern: "POST " + one + "/release", About: "Mailpit: sends it on.", Body: mailpitRelease{}, Kind: "text/plain",
		}, do: a.mailpitRelease},
		{Operation: admin.Operation{
			Pattern: "GET /view/{id}", About: "Mailpit: ID.html and ID.txt are the letter as HTML, made safe, and as text; a browser is shown a frame of no origin.", Kind: "text/plain",
		}, do: a.mailpitView},
	}
}

// mailpitFlavour is the version of Mailpit whose shapes these are, for helpers that look.
const mailpitFlavour = "v1.21.0"

type mailpitInfo struct {
	Version       string
	LatestVersion string
	Database      string
	DatabaseSize  int64
	Messages      int
	Unread        int
	Tags          map[string]int
	RuntimeStats  struct {
		Uptime int64  // seconds
		Memory uint64 // octets
	}
}

func (a *API) mailpitInfo(w http.ResponseWriter, _ *http.Request) error {
	info := mailpitInfo{Version: mailpitFlavour, LatestVersion: mailpitFlavour, Database: "posthouse " + a.o.Version, Tags: map[string]int{}}
	for _, i := range a.o.Store.Inboxes() {
		info.Messages, info.Unread, info.DatabaseSize = info.Messages+i.Messages, info.Unread+i.Unread, info.DatabaseSize+i.Octets
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	info.RuntimeStats.Uptime, info.RuntimeStats.Memory = int64(time.Since(a.o.Started).Seconds()), memory.Sys
	return ok(w, info)
}

// mailpitPages is what Mailpit tells its own pages.
type mailpitPages struct {
	Label        string
	MessageRelay struct {
		Enabled            bool
		SMTPServer         string
		ReturnPath         string
		AllowedRecipients  string
		BlockedRecipients  string
		OverrideFrom       string
		PreserveMessageIDs bool
	}
	SpamAssassin        bool
	ChaosEnabled        bool
	DuplicatesIgnored   bool
	HideDeleteAllButton bool
}

func (a *API) mailpitPages(w http.ResponseWriter, _ *http.Request) error {
	p := mailpitPages{Label: "posthouse"}
	p.MessageRelay.Enabled, p.MessageRelay.PreserveMessageIDs = a.o.Release != nil, true
	return ok(w, p)
}
