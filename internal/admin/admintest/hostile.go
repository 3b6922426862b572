package admintest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Ran is the name of a function that every piece of [Markup] calls, once it runs.
const Ran = "postscript"

// Markup is 1,000 pieces of markup and script: each of the shapes, with each way to run,
// behind each way out of where it stands.
func Markup() []string {
	call := Ran + "('x')"
	shapes := []string{
		"<script>%s</script>", "<img src=x onerror=%s>", "<svg onload=%s>", "<body onload=%s>", "<iframe srcdoc=\"<script>parent.%s</script>\">", "<a href=\"javascript:%s\">x</a>",
		"<details open ontoggle=%s>x</details>", "<input autofocus onfocus=%s>", "<video><source onerror=%s></video>", "<marquee onstart=%s>x</marquee>",
		"<object data=\"javascript:%s\">", "<embed src=\"javascript:%s\">", "<form action=\"javascript:%s\"><button autofocus>x</button></form>", "<math><mi xlink:href=\"javascript:%s\">x</mi></math>",
		"<style>@import 'javascript:%s';</style>", "<link rel=stylesheet href=\"javascript:%s\">", "<meta http-equiv=refresh content=\"0;url=javascript:%s\">", "<base href=\"javascript:%s//\">",
		"<svg><animate onbegin=%s attributeName=x dur=1s>", "<svg><script>%s</script></svg>", "<template><script>%s</script></template>", "<noscript><p title=\"</noscript><img src=x onerror=%s>\">",
		"<xmp><script>%s</script>", "<select autofocus onfocus=%s>", "<textarea autofocus onfocus=%s>",
	}
	breaks := []string{
		"%s", "\">%s", "'>%s", "</title>%s", "</textarea>%s", "</script>%s", "--!>%s", "]]>%s", "</style>%s", "</pre></table>%s", "\x00%s", "\"'><x y=\"%s", "&lt;/p&gt;%s", "{{%s}}",
		"</iframe>%s", "\r\n\r\n%s", "data: %s", "<!--%s", "</option></select>%s", "</noscript>%s",
	}
	var all []string
	for _, b := range breaks {
		for _, s := range shapes {
			for _, c := range []string{call, "window['" + Ran + "']('y')"} {
				all = append(all, fmt.Sprintf(b, fmt.Sprintf(s, c)))
			}
		}
	}
	return all
}

// Hostile is a control API in whose answers every text is [Markup]: of an element of a list
// the piece behind that of the one before. It is a [http.Handler].
type Hostile struct {
	Long int          // elements of a list
	From atomic.Int64 // the piece with which the next answers begin

	pieces []string
	mux    *http.ServeMux
}

// NewHostile makes one whose lists are so long.
func NewHostile(long int) *Hostile {
	h := &Hostile{Long: long, pieces: Markup(), mux: http.NewServeMux()}
	for _, a := range answers {
		h.mux.HandleFunc("GET "+a.path, func(w http.ResponseWriter, _ *http.Request) {
			answer := reflect.New(reflect.TypeOf(a.answer)).Elem()
			h.fill(answer, "", h.From.Load(), h.Long)
			_ = json.NewEncoder(w).Encode(answer.Interface()) // a test sees what is missing
		})
	}
	h.mux.HandleFunc("POST /", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(admin.Fault{Message: h.piece(h.From.Load()), Hint: h.piece(h.From.Load())})
	})
	return h
}

// answers are what is told at which path.
var answers = []struct {
	path   string
	answer any
}{
	{"/v1/messages/{id}/story", admin.Story{}},
	{"/v1/messages/{id}/sessions", admin.CarriedBy{}},
	{"/v1/messages/{id}/session", admin.Session{}},
	{"/v1/messages/{id}", admin.Message{}},
	{"/v1/sessions/{id}", admin.Session{}},
	{"/v1/sessions", admin.SessionPage{}},
	{"/v1/queue/tally", admin.Tally{}},
	{"/v1/queue", admin.QueuePage{}},
	{"/v1/destinations", admin.DestinationPage{}},
	{"/v1/find", admin.FoundPage{}},
	{"/v1/explain", admin.Explanation{}},
	{"/v1/overview", admin.Overview{}},
	{"/v1/status", admin.Status{}},
}

// ServeHTTP implements [http.Handler]. Orders fail, with markup.
func (h *Hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func (h *Hostile) piece(n int64) string { return h.pieces[n%int64(len(h.pieces))] }

// fill puts markup into all that is below v. Lists have so many elements, and those in them
// few.
func (h *Hostile) fill(v reflect.Value, name string, n int64, long int) {
	if h.own(v, n) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		if name != "Next" { // nobody would come to the end
			v.SetString(h.piece(n))
		}
	case reflect.Bool:
		v.SetBool(n%2 == 0)
	case reflect.Int, reflect.Int64, reflect.Uint64:
		if v.CanUint() {
			v.SetUint(uint64(n%50 + 1))
		} else if name != "Octets" && name != "Missed" { // a text would not be shown
			v.SetInt(n%3 + 1)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		h.fill(v.Elem(), name, n, long)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				h.fill(v.Field(i), f.Name, n, long)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), long, long))
		for i := range long {
			h.fill(v.Index(i), name, n+int64(i), min(long, 2))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(h.piece(n)), reflect.ValueOf(int(n)))
	}
}

// own fills what has a form of its own. An address has the markup in its local part.
func (h *Hostile) own(v reflect.Value, n int64) bool {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Now().Add(time.Duration(n%5-2) * time.Hour)
	case *mail.ID:
		copy(x[:], fmt.Sprintf("%012d", n))
	case *smtp.Path:
		quoted := strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\x00", "", "\r", "", "\n", "").Replace(h.piece(n))
		if x.UnmarshalText([]byte(`"`+quoted+`"@x.example`)) != nil {
			*x = Address("too-long@x.example")
		}
	default:
		return false
	}
	return true
}
