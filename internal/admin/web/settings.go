package web

import (
	"net/http"
	"slices"
)

// Cookies that say how somebody wants to see things. They are no secrets.
const (
	languageCookie = "posthouse-language"
	themeCookie    = "posthouse-theme"
)

// themes are those that there are; "auto" is as the system has it.
var themes = []string{"auto", "light", "dark"}

func themeOf(r *http.Request) string {
	c, err := r.Cookie(themeCookie)
	if err != nil || c.Value == "auto" || !slices.Contains(themes, c.Value) {
		return ""
	}
	return c.Value
}

// saveSettings keeps a choice with the browser that has made it.
func (c *Console) saveSettings(v *visit) (answer, error) {
	var a answer = redirect(own(v.PostFormValue("back")))
	if theme := v.PostFormValue("theme"); slices.Contains(themes, theme) {
		a = &cookieSet{settingCookie(v, themeCookie, theme), a}
	}
	tag := v.PostFormValue("language")
	if slices.ContainsFunc(languages, func(l language) bool { return l.tag == tag }) {
		a = &cookieSet{settingCookie(v, languageCookie, tag), a}
	}
	return a, nil
}

func settingCookie(v *visit, name, value string) *http.Cookie {
	const year = 365 * 24 * 60 * 60
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: year,
		Secure: v.TLS != nil, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
