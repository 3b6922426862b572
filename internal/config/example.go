package config

import (
	"embed"
	"path"
)

//go:embed examples/*.hcl
var examples embed.FS

// exampleTable is the examples, the simplest first.
var exampleTable = []struct{ name, title string }{
	{"mx", "the mail exchanger of a domain, in six lines"},
	{"null-client", "a host that sends all mail to a smarthost, in five lines"},
	{"inbox", "an inbox for tests, with its console"},
	{"application", "a relay for an application, by way of a provider that wants a password"},
	{"dovecot", "the mail exchanger of two domains, with Dovecot behind it over LMTP"},
	{"people", "a domain whose people log in to send mail"},
	{"backup-mx", "a second mail exchanger for other people's domains"},
	{"full", "every setting, with its default and what it means"},
}

// Examples returns the names of whole configurations, the simplest first.
func Examples() []string {
	var names []string
	for _, e := range exampleTable {
		names = append(names, e.name)
	}
	return names
}

// ExampleTitle says what an example is for, "" if there is none of that name.
func ExampleTitle(name string) string {
	for _, e := range exampleTable {
		if e.name == name {
			return e.title
		}
	}
	return ""
}

// Example returns a whole configuration by its name.
func Example(name string) (text string, ok bool) {
	if ExampleTitle(name) == "" {
		return "", false
	}
	b, err := examples.ReadFile(path.Join("examples", name+".hcl"))
	return string(b), err == nil
}
