package web

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/smtp"
)

// loginData is what the page for logins shows.
type loginData struct {
	Next   string // where to go then
	Name   string
	Failed string // key of the reason; "": none
}

func (c *Console) showLogin(v *visit) (answer, error) {
	if !c.canLogIn() {
		return nil, &fault{status: http.StatusForbidden, key: "error.no-logins"}
	}
	return &drawn{body: "login", data: loginData{Next: own(v.URL.Query().Get("next"))}}, nil
}

// login lets somebody in. Failures count as they do on the listeners for mail.
func (c *Console) login(v *visit) (answer, error) {
	if !c.canLogIn() {
		return nil, &fault{status: http.StatusForbidden, key: "error.no-logins"}
	}
	name := v.PostFormValue("name")
	account, err := c.check(v, name, v.PostFormValue("password"))
	rights := c.opts.Rights()
	if err == nil && rights.of(account) == Nothing {
		err = errNoRights
	}
	if err != nil {
		c.opts.Log.Warn("somebody was not let into the console", "from", v.RemoteAddr, "why", err)
		return &drawn{body: "login", status: http.StatusForbidden, data: loginData{
			Next: own(v.PostFormValue("next")), Name: name, Failed: failedKey(err),
		}}, nil
	}
	c.sessions.end(v.Request)
	c.opts.Log.Info("somebody has logged in to the console", "login", account, "from", v.RemoteAddr)
	return &cookieSet{sessionCookieOf(c.sessions.begin(account, time.Now())), redirect(own(v.PostFormValue("next")))}, nil
}

var errNoRights = errors.New("the account has no rights here")

// check asks the door. A connection within this machine is as good as TLS: nobody else
// reads it. (Others have been refused, see isOurs.)
func (c *Console) check(v *visit, name, password string) (account string, err error) {
	visitor := login.Visitor{TLS: v.TLS}
	if visitor.TLS == nil {
		visitor.TLS = &tls.ConnectionState{}
	}
	if at, err := netip.ParseAddrPort(v.RemoteAddr); err == nil {
		visitor.Client = at.Addr().Unmap()
	}
	x := c.opts.Door().Begin(v.Context(), "PLAIN", visitor)
	if _, _, err := x.Next([]byte("\x00" + name + "\x00" + password)); err != nil {
		return "", err
	}
	if x.Account() == nil {
		return "", errors.New("the login did not come to its end")
	}
	return x.Account().Name, nil
}

// failedKey says why somebody was not let in, with nothing that helps to guess.
func failedKey(err error) string {
	var f *login.Failure
	switch {
	case errors.Is(err, errNoRights):
		return "login.no-rights"
	case errors.As(err, &f) && f.Reply != nil && f.Reply.Code == smtp.CodeTemporaryAuthFailure:
		return "login.later"
	}
	return "login.wrong"
}

func (c *Console) logout(v *visit) (answer, error) {
	c.sessions.end(v.Request)
	return &cookieSet{sessionCookieOf(""), redirect("/")}, nil
}
