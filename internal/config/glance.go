package config

import (
	"path/filepath"
)

// Glimpse is what programs beside the daemon must know of a configuration to find
// it.
type Glimpse struct {
	Hostname Setting[string]
	Data     Setting[string]
}

// Glance reads a configuration as [Parse] does, but only for where its house is.
// It does not mind what else is wrong with the file, or needs an environment that
// only the daemon has: who sends mail can do nothing about it. The error is of
// type [Problems]: the syntax is wrong, or one of the two settings.
func Glance(name string, src []byte, o Options) (Glimpse, error) {
	d := &decoder{problems: problems{file: name}, dir: filepath.Dir(name), env: o.Env}
	c := defaults()
	if !d.parse(src, c) {
		return Glimpse{}, d.found
	}
	var wrong Problems
	for _, p := range d.found {
		if c.Hostname.Given() && p.Origin.Line == c.Hostname.Origin.Line || c.Data.Given() && p.Origin.Line == c.Data.Origin.Line {
			wrong = append(wrong, p)
		}
	}
	if len(wrong) > 0 {
		return Glimpse{}, wrong
	}
	return Glimpse{c.Hostname, c.Data}, nil
}
