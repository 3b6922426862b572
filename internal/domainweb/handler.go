package domainweb

import (
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/posthouse/posthouse/internal/dns"
)

// Site is what a domain has on the web.
type Site struct {
	Domain   dns.Name
	Policy   string    // of MTA-STS, as it is published; "": none
	Settings *Settings // for people's programs; nil: none
}

// Handler answers for sites. It reads no more than a request of 64 KiB; its caller bounds the
// time and the connections.
func Handler(sites []Site) http.Handler {
	h := handler{}
	for i := range sites {
		s := &sites[i]
		h[s.Domain.String()] = s
	}
	return h
}

// handler is the sites by domain.
type handler map[string]*Site

// Names are the host names under which a site is asked for.
func (s *Site) Names() []string {
	var names []string
	if s.Policy != "" {
		names = append(names, "mta-sts."+s.Domain.String())
	}
	if s.Settings != nil {
		names = append(names, "autoconfig."+s.Domain.String(), "autodiscover."+s.Domain.String())
	}
	return names
}

// maxRequest is more octets than a question for settings has.
const maxRequest = 64 << 10

// ServeHTTP implements [http.Handler].
func (h handler) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	label, s := h.asked(q.Host)
	path := strings.ToLower(q.URL.Path)
	switch {
	case s == nil:
	case label == "mta-sts" && path == "/.well-known/mta-sts.txt" && s.Policy != "":
		give(w, q, "text/plain; charset=us-ascii", s.Policy)
		return
	case s.Settings == nil:
	case label == "autoconfig" && path == "/mail/config-v1.1.xml",
		label != "mta-sts" && path == "/.well-known/autoconfig/mail/config-v1.1.xml":
		give(w, q, "application/xml; charset=utf-8", s.Settings.autoconfig(s.Domain.String()))
		return
	case (label == "autodiscover" || label == "") && path == "/autodiscover/autodiscover.xml":
		s.discover(w, q)
		return
	}
	http.Error(w, "There is nothing here.", http.StatusNotFound)
}

// asked finds the site of a Host field, and the label before its domain.
func (h handler) asked(host string) (label string, s *Site) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	n, err := dns.ParseName(host)
	if err != nil {
		return "", nil
	}
	if s := h[n.String()]; s != nil {
		return "", s
	}
	label, domain, _ := strings.Cut(n.String(), ".")
	switch label {
	case "mta-sts", "autoconfig", "autodiscover":
		return label, h[domain]
	}
	return "", nil
}

// give answers GET and HEAD with a page.
func give(w http.ResponseWriter, q *http.Request, kind, text string) {
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		refuse(w, "GET, HEAD")
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = io.WriteString(w, text) // who does not wait for it has gone
}

func refuse(w http.ResponseWriter, allowed string) {
	w.Header().Set("Allow", allowed)
	http.Error(w, "That is not done here.", http.StatusMethodNotAllowed)
}

// discover answers a program of Outlook's kind, which says whose settings it wants.
func (s *Site) discover(w http.ResponseWriter, q *http.Request) {
	if q.Method != http.MethodPost {
		refuse(w, "POST")
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxRequest))
	if err != nil {
		http.Error(w, "The question is too long.", http.StatusRequestEntityTooLarge)
		return
	}
	address, err := parseDiscover(text)
	if err != nil || !s.has(address) {
		http.Error(w, "The question makes no sense here.", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	_, _ = io.WriteString(w, s.Settings.autodiscover(address.String()))
}
