package admin_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/inboxapi"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/inbox/door"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/scenario"
)

// described is what a test reads of the document.
type described struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		ID         string                      `json:"operationId"`
		Parameters []struct{ Name, In string } `json:"parameters"`
		Responses  map[string]struct {
			Content map[string]struct {
				Schema schema `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type schema struct {
	Ref        string            `json:"$ref"`
	Type       string            `json:"type"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
	Items      *schema           `json:"items"`
	Additional *schema           `json:"additionalProperties"`
}

func document(t *testing.T, h *admintest.House) (d described, text string) {
	t.Helper()
	status, text, _ := strings.Cut(request(t, h.Socket, http.MethodGet, "/v1/openapi.json", ""), " ")
	if status != "200" {
		t.Fatalf("%s %s", status, text)
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return d, text
}

// TestOpenAPIIsWritten: docs/openapi.json is what a house says of itself.
func TestOpenAPIIsWritten(t *testing.T) {
	_, text := document(t, admintest.Open(t))
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	pretty, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got := string(pretty) + "\n"
	file := filepath.Join("..", "..", "docs", "openapi.json")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

// TestOpenAPIHolds: what is in the document is answered, and answers have the fields that
// it says, all of those that it requires and no other.
func TestOpenAPIHolds(t *testing.T) {
	h := admintest.Open(t)
	id := h.Send("jane@example.org", "春天的消息", "bob@sina.example").String()
	slow := h.Send("jane@example.org", "one", "bob@slow.example").String()
	call(t, h.Sessions)
	d, _ := document(t, h)
	if d.OpenAPI != "3.1.0" || len(d.Paths) < 40 {
		t.Fatalf("version %q, %d paths", d.OpenAPI, len(d.Paths))
	}
	ids := map[string]bool{}
	for path, methods := range d.Paths {
		for method, o := range methods {
			if ids[o.ID] || o.ID == "" {
				t.Errorf("%s %s is called %q as another is", method, path, o.ID)
			}
			ids[o.ID] = true
			answer, is := o.Responses["200"].Content["application/json"]
			if method != "get" || !is || !strings.HasPrefix(path, "/v1/") {
				continue // inboxapi has tests of its own
			}
			at := strings.ReplaceAll(path, "{id}", slow)
			switch {
			case strings.HasPrefix(path, "/v1/sessions/"):
				at = strings.ReplaceAll(path, "{id}", "1")
			case strings.HasSuffix(path, "/session"):
				continue // that message came by none
			case path == "/v1/explain":
				at += "?to=bob@sina.example"
			case path == "/v1/find":
				at += "?q=" + id
			}
			status, text, _ := strings.Cut(request(t, h.Socket, http.MethodGet, at, ""), " ")
			if status != "200" {
				t.Errorf("GET %s: %s %s", at, status, text)
				continue
			}
			for _, p := range o.Parameters {
				if got := request(t, h.Socket, http.MethodGet, path+"?"+p.Name+"=", ""); p.In == "query" && strings.Contains(got, "is not to be asked for") {
					t.Errorf("GET %s: %s", path, got)
				}
			}
			var v any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Errorf("GET %s: %v", at, err)
			}
			fits(t, &d, &answer.Schema, v, "GET "+at)
		}
	}
}

// TestOpenAPIHoldsForTheInbox: the same of the test inbox, which answers beside it.
func TestOpenAPIHoldsForTheInbox(t *testing.T) {
	d, _ := document(t, admintest.Open(t))
	store, err := inbox.Open(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	text := "From: Bob <bob@sohu.com>\r\nCc: c@d.test\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\nAuthentication-Results: mx.test; spf=pass\r\n\r\n" +
		"--b\r\nContent-Type: text/html\r\n\r\n<a href=https://a.test onclick=x>4711-0815</a>\r\n--b\r\nContent-Disposition: attachment\r\n\r\nx"
	lines := []inbox.Line{{Who: inbox.Client, Text: "QUIT"}}
	if _, err = store.Put(t.Context(), inbox.Arrival{Dialogue: lines}, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	stage := new(door.Stage)
	if play, err := scenario.New([]scenario.Rule{{On: scenario.Rcpt, Reply: "450 4.2.0 Later"}}); err != nil || !stage.Play("inbox", play) {
		t.Fatal(err)
	}
	api := inboxapi.New(inboxapi.Options{Store: store, Scenarios: stage})
	id := store.List("", inbox.Query{}, mail.ID{}, 1).Messages[0].ID.String()
	held := 0
	for path, methods := range d.Paths {
		answer, is := methods["get"].Responses["200"].Content["application/json"]
		if !is || strings.HasPrefix(path, "/v1/") {
			continue
		}
		w := httptest.NewRecorder()
		at := strings.NewReplacer("{id}", id, "{name}", "inbox").Replace(path)
		api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at+"?query=x", nil))
		var v any
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != http.StatusOK {
			t.Errorf("GET %s: %d, %v", at, w.Code, err)
		}
		fits(t, &d, &answer.Schema, v, "GET "+at)
		held++
	}
	if held < 10 {
		t.Errorf("%d answers were held against the document", held)
	}
}

// fits holds a value against a schema.
func fits(t *testing.T, d *described, s *schema, v any, at string) {
	t.Helper()
	if name, is := strings.CutPrefix(s.Ref, "#/components/schemas/"); is {
		named, known := d.Components.Schemas[name]
		if !known {
			t.Fatalf("%s: there is no schema %q", at, name)
		}
		s = &named
	}
	if s.Type == "" {
		return // it may be anything
	}
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			t.Errorf("%s is an object, and should be %q", at, s.Type)
		}
		for _, name := range s.Required {
			if _, there := v[name]; !there {
				t.Errorf("%s has no %q", at, name)
			}
		}
		for name, inner := range v {
			is, known := s.Properties[name]
			switch {
			case known:
				fits(t, d, &is, inner, at+" "+name)
			case s.Additional != nil:
				fits(t, d, s.Additional, inner, at+" "+name)
			default:
				t.Errorf("%s has a %q that is nowhere described", at, name)
			}
		}
	case []any:
		for _, inner := range v {
			if s.Items == nil {
				t.Fatalf("%s is an array", at)
			}
			fits(t, d, s.Items, inner, at+" []")
		}
	case string, bool, float64:
		want := map[bool]string{true: "string"}[isString(v)]
		if s.Type != "" && want != "" && s.Type != want {
			t.Errorf("%s is %v, and should be %q", at, v, s.Type)
		}
	}
}

func isString(v any) bool {
	_, is := v.(string)
	return is
}
