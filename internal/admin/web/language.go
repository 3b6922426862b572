package web

import (
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	textlanguage "golang.org/x/text/language"

	"github.com/posthouse/posthouse/smtp"
)

// language is one in which pages are drawn.
type language struct {
	tag   string // BCP 47
	name  string // as it calls itself
	brief string // the same, where there is no room
	index int    // in the rows of the message table
}

// languages are those that there are. The first is for whom no other fits.
var languages = []language{
	{"en", "English", "EN", 0},
	{"zh-Hans", "简体中文", "中", 1},
}

// matcher finds the one that suits a browser.
var matcher = textlanguage.NewMatcher([]textlanguage.Tag{textlanguage.English, textlanguage.SimplifiedChinese})

// languageOf is the one that was chosen, or else that which the browser asks for.
func languageOf(r *http.Request) *language {
	if c, err := r.Cookie(languageCookie); err == nil {
		for i := range languages {
			if languages[i].tag == c.Value {
				return &languages[i]
			}
		}
	}
	header := r.Header.Get("Accept-Language")
	if len(header) > 200 {
		header = "" // nobody speaks so many
	}
	wanted, _, _ := textlanguage.ParseAcceptLanguage(header) // what cannot be read is no wish
	_, i, _ := matcher.Match(wanted...)
	return &languages[i]
}

// say is a message of the table, with what belongs into it.
func (l *language) say(key string, args ...any) string {
	row, ok := words[key]
	if !ok {
		return key // a test finds it
	}
	if len(args) == 0 {
		return row[l.index]
	}
	for i, a := range args {
		if n, is := a.(int); is {
			args[i] = l.number(int64(n))
		} else if n, is := a.(int64); is {
			args[i] = l.number(n)
		}
	}
	return fmt.Sprintf(row[l.index], args...)
}

// count is a number of things: the key with ".one" is for one of them.
func (l *language) count(key string, n any) string {
	number := intOf(n)
	if _, ok := words[key+".one"]; ok && number == 1 {
		key += ".one"
	}
	return l.say(key, number)
}

func intOf(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// number writes one with a comma between the thousands.
func (l *language) number(n any) string {
	s := strconv.FormatInt(intOf(n), 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// size writes octets with a unit.
func (l *language) size(n any) string {
	is := float64(intOf(n))
	for _, unit := range []string{"B", "kB", "MB", "GB", "TB"} {
		switch {
		case is >= 1000 && unit != "TB":
			is /= 1000
		case is < 10 && unit != "B":
			return strconv.FormatFloat(is, 'f', 1, 64) + " " + unit
		default:
			return strconv.FormatFloat(is, 'f', 0, 64) + " " + unit
		}
	}
	return ""
}

// units of a span of time, the longest first.
var units = []struct {
	key string
	is  time.Duration
}{
	{"unit.day", 24 * time.Hour}, {"unit.hour", time.Hour}, {"unit.minute", time.Minute}, {"unit.second", time.Second},
}

// span writes a time in its two greatest units.
func (l *language) span(d time.Duration) string {
	d = max(d, 0)
	for i, u := range units {
		if d < u.is {
			continue
		}
		s := strconv.Itoa(int(d/u.is)) + l.say(u.key)
		if i+1 < len(units) {
			if rest := d % u.is / units[i+1].is; rest > 0 && d/u.is < 10 {
				s += " " + strconv.Itoa(int(rest)) + l.say(units[i+1].key)
			}
		}
		return s
	}
	return "0" + l.say("unit.second")
}

// ago is how long since an instant, and until how long to one that is still to come.
func (l *language) ago(t time.Time) string {
	switch d := time.Since(t); {
	case t.IsZero():
		return ""
	case d < -time.Second:
		return l.say("in", l.span(-d))
	case d < time.Second:
		return l.say("now")
	default:
		return l.say("ago", l.span(d))
	}
}

// past reports whether an instant has been.
func past(t time.Time) bool { return !t.IsZero() && !t.After(time.Now()) }

// age is how long since an instant.
func (l *language) age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return l.span(time.Since(t))
}

// clock writes an instant for people, in UTC; a script puts the time of the reader there.
func clock(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339Nano) + `">` + t.Format("2006-01-02 15:04:05") + " UTC</time>")
}

// functions are those of the templates.
func (l *language) functions() template.FuncMap {
	return template.FuncMap{
		"t": l.say, "count": l.count, "number": l.number, "size": l.size,
		"ago": l.ago, "past": past, "age": l.age, "clock": clock, "span": l.span,
		"languages": func() []language { return languages },
		"join":      strings.Join,
		"list":      func(s ...string) []string { return s },
		"short":     short,
		"string":    func(v any) string { return fmt.Sprint(v) },
		"path":      pathOf,
		"tagged":    tagQuery,
		"addresses": addresses, "person": person, "verdict": moodOfVerdict, "opinion": moodOfOpinion,
		"after": func(from, to time.Time) string { return fmt.Sprintf("+%.3f", max(0, to.Sub(from).Seconds())) },
		"addr":  func(p smtp.Path) string { return p.String() },
	}
}

// Tag is the tag of a language, for templates.
func (l language) Tag() string { return l.tag }

// Name is what it calls itself, for templates.
func (l language) Name() string { return l.name }

// Brief is the same where there is no room.
func (l language) Brief() string { return l.brief }
