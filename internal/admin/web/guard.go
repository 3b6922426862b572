package web

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// policy is what a page of ours may use: the files of this program, its own events, its
// own forms, and a frame for the HTML of messages, whose answer has a policy of its own.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// harden sets what holds for each answer that says nothing else. The referrer stays for
// pages of ours: without it browsers say that a form comes from nowhere.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// isOurs reports whether a browser means us: what it calls us is a name of ours, or the
// very address that it has reached. Else its page belongs to somebody whose name has
// just begun to lead to this machine (DNS rebinding). Who comes from another machine
// must come with TLS.
func (c *Console) isOurs(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if r.TLS == nil && !Loopback(local) {
		return false
	}
	host := hostOf(r.Host)
	if tcp, is := local.(*net.TCPAddr); is && tcp.IP.Equal(net.ParseIP(host)) {
		return true
	}
	if Loopback(local) && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host) {
		return true
	}
	return c.opts.Hosts != nil && slices.ContainsFunc(c.opts.Hosts(), func(name string) bool { return strings.EqualFold(name, host) })
}

// hostOf is a host without its port and brackets, in lower case.
func hostOf(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	return strings.ToLower(strings.TrimSuffix(s, "."))
}

// strange answers whoever means somebody else, with nothing that is about us.
func (c *Console) strange(w http.ResponseWriter, r *http.Request) {
	c.opts.Log.Warn("the console is called by a name that is not its own, or without TLS", "host", r.Host, "from", r.RemoteAddr)
	http.Error(w, "This server does not go by that name. If it should, name it in console { hosts = [...] }.", http.StatusMisdirectedRequest)
}

// crossed answers a request that a page of somebody else makes in the name of who looks
// at it.
func (c *Console) crossed(w http.ResponseWriter, r *http.Request) {
	c.opts.Log.Warn("the console refuses an order from a page that is not its own", "path", r.URL.Path,
		"origin", r.Header.Get("Origin"), "from", r.RemoteAddr)
	http.Error(w, "This order does not come from a page of this console.", http.StatusForbidden)
}
