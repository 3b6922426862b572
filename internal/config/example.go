package config

import (
	"embed"
	"path"
	"slices"
)

//go:embed examples/*.hcl
var examples embed.FS

// exampleNames are the examples, the simplest first.
var exampleNames = []string{"mx", "null-client", "application", "dovecot", "backup-mx", "full"}

// Examples returns the names of whole configurations, the simplest first.
func Examples() []string { return slices.Clone(exampleNames) }

// Example returns a whole configuration by its name.
func Example(name string) (text string, ok bool) {
	if !slices.Contains(exampleNames, name) {
		return "", false
	}
	b, err := examples.ReadFile(path.Join("examples", name+".hcl"))
	return string(b), err == nil
}
