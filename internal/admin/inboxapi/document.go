package inboxapi

import (
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// object is one of JSON.
type object = map[string]any

func (a *API) document(w http.ResponseWriter, _ *http.Request) error {
	return ok(w, a.Document())
}

// Document is the OpenAPI document (3.1) of all calls, made of the table that answers them.
func (a *API) Document() map[string]any {
	paths := object{}
	for _, r := range a.routes() {
		at, _ := paths[r.path].(object)
		if at == nil {
			at = object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = r.document()
	}
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": "Posthouse", "version": a.o.Version, "summary": "A mail system, and an inbox for tests"},
		"paths":   paths,
	}
}

// pathParam is one in a path.
var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (r *route) document() object {
	params := []object{}
	for _, p := range pathParam.FindAllStringSubmatch(r.path, -1) {
		params = append(params, object{"name": p[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range r.query {
		params = append(params, object{"name": p.name, "in": "query", "description": p.what, "schema": object{"type": "string"}})
	}
	kind, shape := r.kind, object{"type": "string"}
	if r.answer != nil {
		kind, shape = "application/json", schemaOf(reflect.TypeOf(r.answer), 0)
	}
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	d := object{
		"summary": r.summary, "parameters": params,
		"responses": object{
			strconv.Itoa(status): object{"description": "Done", "content": object{kind: object{"schema": shape}}},
			"default": object{"description": "What went wrong", "content": object{"application/json": object{"schema": object{
				"type": "object", "properties": object{"error": object{"type": "string"}},
			}}}},
		},
	}
	if r.body != nil {
		d["requestBody"] = object{"content": object{"application/json": object{"schema": schemaOf(reflect.TypeOf(r.body), 0)}}}
	}
	return d
}

// schemaOf is the JSON schema of a type. Those that print themselves as text are text.
func schemaOf(t reflect.Type, depth int) object {
	text := reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()
	switch {
	case depth > 8:
		return object{}
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Implements(text):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), depth+1)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Uint8:
		return object{"type": "integer"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), depth+1)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), depth+1)}
	case reflect.Struct:
		properties := object{}
		fieldsOf(t, properties, depth)
		return object{"type": "object", "properties": properties}
	}
	return object{}
}

func fieldsOf(t reflect.Type, properties object, depth int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			fieldsOf(f.Type, properties, depth)
		case name == "-" || !f.IsExported():
		case name == "":
			properties[f.Name] = schemaOf(f.Type, depth+1)
		default:
			properties[name] = schemaOf(f.Type, depth+1)
		}
	}
}
