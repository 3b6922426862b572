package admin

import (
	"cmp"
	"encoding"
	"maps"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Operation is one thing that an API does, for people and programs that ask it.
type Operation struct {
	Pattern string            // of [http.ServeMux]: "GET /v1/messages/{id}"
	About   string            // in a sentence
	Query   map[string]string // what may be asked for, and what it means
	Body    any               // a value of what is sent; nil: nothing
	Answer  any               // a value of what comes back as JSON; nil: Kind says it
	Events  map[string]any    // of a stream: values of their data by name
	Kind    string            // of the answer; "": application/json, or text/event-stream
}

// OpenAPI describes operations as a document of OpenAPI 3.1, ready to be put into JSON.
func OpenAPI(title, version, about string, operations []Operation) map[string]any {
	d := &document{schemas: object{}, named: map[string]reflect.Type{}}
	fault := d.schemaOf(reflect.TypeFor[Fault]())
	paths := object{}
	for i := range operations {
		o := &operations[i]
		method, path, _ := strings.Cut(o.Pattern, " ")
		at, _ := paths[path].(object)
		if at == nil {
			at = object{}
			paths[path] = at
		}
		at[strings.ToLower(method)] = d.operation(o, path, fault)
	}
	return object{
		"openapi":    "3.1.0",
		"info":       object{"title": title, "version": version, "description": about},
		"paths":      paths,
		"components": object{"schemas": d.schemas},
	}
}

type object = map[string]any

// document gathers the schemas of a description.
type document struct {
	schemas object
	named   map[string]reflect.Type // whose they are
}

func (d *document) operation(o *Operation, at string, fault object) object {
	out := object{
		"summary":     o.About,
		"operationId": operationID(o.Pattern),
		"responses": object{
			"200":     object{"description": "OK", "content": d.content(o)},
			"default": object{"description": "It was no success.", "content": object{"application/json": object{"schema": fault}}},
		},
	}
	var parameters []object
	for part := range strings.SplitSeq(at, "/") {
		if name, is := strings.CutPrefix(part, "{"); is {
			parameters = append(parameters, parameter("path", strings.TrimRight(name, ".}"), "", true))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Query)) {
		parameters = append(parameters, parameter("query", name, o.Query[name], false))
	}
	if parameters != nil {
		out["parameters"] = parameters
	}
	if o.Body != nil {
		schema := d.schemaOf(reflect.TypeOf(o.Body))
		out["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schema}}}
	}
	return out
}

func parameter(in, name, about string, required bool) object {
	p := object{"in": in, "name": name, "schema": object{"type": "string"}}
	if about != "" {
		p["description"] = about
	}
	if required {
		p["required"] = true
	}
	return p
}

// operationID names an operation for programs that are made of the document:
// "getMessagesIdStory".
func operationID(pattern string) string {
	method, path, _ := strings.Cut(pattern, " ")
	name := strings.ToLower(method)
	for word := range strings.FieldsFuncSeq(path, func(r rune) bool { return strings.ContainsRune("/{}._-", r) }) {
		if word != "v1" {
			name += capital(word)
		}
	}
	return name
}

func (d *document) content(o *Operation) object {
	switch {
	case o.Events != nil:
		events := object{}
		for _, name := range slices.Sorted(maps.Keys(o.Events)) {
			events[name] = d.schemaOf(reflect.TypeOf(o.Events[name]))
		}
		return object{"text/event-stream": object{
			"schema":   object{"type": "string", "description": "Server-sent events; the data of each is JSON."},
			"x-events": events,
		}}
	case o.Answer == nil:
		return object{o.Kind: object{"schema": object{"type": "string"}}}
	case o.Kind != "":
		return object{o.Kind: object{"schema": d.schemaOf(reflect.TypeOf(o.Answer))}}
	}
	return object{"application/json": object{"schema": d.schemaOf(reflect.TypeOf(o.Answer))}}
}

var (
	textType = reflect.TypeFor[encoding.TextMarshaler]()
	timeType = reflect.TypeFor[time.Time]()
)

// schemaOf describes what package json makes of values of a type.
func (d *document) schemaOf(t reflect.Type) object {
	switch {
	case t == timeType:
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return d.schemaOf(t.Elem())
	case t.Implements(textType):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.structOf(t)
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": d.schemaOf(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schemaOf(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Interface:
		return object{}
	}
	return object{"type": "integer"}
}

// structOf puts the schema of a struct among the others, and refers to it; one without a
// name stands where it is.
func (d *document) structOf(t reflect.Type) object {
	if t.Name() == "" {
		return d.describe(t)
	}
	name := d.nameOf(t)
	if d.schemas[name] == nil {
		d.schemas[name] = object{} // it may have itself inside
		d.schemas[name] = d.describe(t)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

func (d *document) describe(t reflect.Type) object {
	properties, required := object{}, []string{}
	d.fields(t, properties, &required)
	return object{"type": "object", "properties": properties, "required": required}
}

// nameOf is what the schema of a type is called; where two packages have the same name,
// the package of the later one stands before it.
func (d *document) nameOf(t reflect.Type) string {
	name := capital(t.Name())
	if other := d.named[name]; other != nil && other != t {
		name = capital(path.Base(t.PkgPath())) + name
	}
	d.named[name] = t
	return name
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (d *document) fields(t reflect.Type, properties object, required *[]string) {
	for _, f := range reflect.VisibleFields(t) {
		if len(f.Index) > 1 {
			continue // of a struct that is embedded, whose fields come by themselves
		}
		tag := f.Tag.Get("json")
		name, rest, _ := strings.Cut(tag, ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-":
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			always := required
			if f.Type.Kind() == reflect.Pointer {
				always = new([]string) // it may be nil, and then its fields are not there
			}
			d.fields(inner, properties, always)
		case f.IsExported():
			name = cmp.Or(name, f.Name)
			properties[name] = d.schemaOf(f.Type)
			if !strings.Contains(rest, "omit") && f.Type.Kind() != reflect.Pointer {
				*required = append(*required, name)
			}
		}
	}
}

// aboutAPI stands at the head of the document.
const aboutAPI = `What can be seen and steered of a running posthouse, over its control socket and at a console's address; the test
inbox (below /api/v1 and /view) at a console's address alone, and only if the house has one.
Lists are paged: an answer that has a "next" goes on where "after" is given it. The ID of a message in the queue may be shortened
to its first letters. At a console's address orders are for operators, and so is what is no GET, and the text of queued messages; the rest is for
viewers too. Programs log in there with a name and a password (RFC 7617), and need not on this machine where guests have the right.`

// openapi tells what there is to be asked.
func (a *API) openapi(*http.Request) (any, error) {
	var operations []Operation
	for _, r := range a.offers() {
		operations = append(operations, r.Operation)
	}
	return OpenAPI("posthouse", a.opts.Version, aboutAPI, append(operations, a.opts.Beside...)), nil
}
