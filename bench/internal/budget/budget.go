// Package budget divides the CPU time of a program among its parts, by a profile
// (runtime/pprof) and a table of rules.
//
// Each sample is a stack. From the innermost function outwards, the first that a
// rule names tells the part; functions that no rule names, such as the copying of
// memory or a system call, count for whoever called them.
package budget

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Other is the part of the samples in which no rule names a function.
const Other = "other"

// Rule says to which part the functions belong whose names begin with Prefix. Of
// several that fit a function, the longest counts. A rule without a part is an
// exception: such a function counts for whoever called it.
type Rule struct {
	Prefix string
	Part   string

	// Service: what was spent is listed by the part that it was done for, rather
	// than by the function.
	Service bool
}

// Sample is a stack, the innermost function first, and what was spent there.
type Sample struct {
	Stack []string
	Spent int64 // in any unit
}

// Read reads a CPU profile.
func Read(r io.Reader) ([]Sample, error) {
	p, err := profile.Parse(r)
	if err != nil {
		return nil, fmt.Errorf("read a CPU profile: %w", err)
	}
	spent := len(p.SampleType) - 1 // of "samples" and "cpu", the latter
	var samples []Sample
	for _, s := range p.Sample {
		one := Sample{Spent: s.Value[spent]}
		for _, l := range s.Location {
			for _, line := range l.Line { // the functions that were inlined come first
				if line.Function != nil {
					one.Stack = append(one.Stack, line.Function.Name)
				}
			}
		}
		samples = append(samples, one)
	}
	return samples, nil
}

// Part is what was spent in one part of the program.
type Part struct {
	Name  string
	Spent int64

	// Functions are those that the rules named, or for Other the innermost ones, and
	// for a service the parts that it was done for. The most expensive comes first.
	Functions []Function
}

// Function is what was spent in a function, as far as it counts for its part.
type Function struct {
	Name  string
	Spent int64
}

// Divide returns the parts, the most expensive first, and the sum.
func Divide(samples []Sample, rules []Rule) (parts []Part, sum int64) {
	spent := map[string]map[string]int64{}
	for _, s := range samples {
		part, function := place(s.Stack, rules)
		if spent[part] == nil {
			spent[part] = map[string]int64{}
		}
		spent[part][function] += s.Spent
		sum += s.Spent
	}
	for name, functions := range spent {
		p := Part{Name: name}
		for function, v := range functions {
			p.Functions = append(p.Functions, Function{function, v})
			p.Spent += v
		}
		slices.SortFunc(p.Functions, func(a, b Function) int {
			return cmp.Or(cmp.Compare(b.Spent, a.Spent), cmp.Compare(a.Name, b.Name))
		})
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Spent, a.Spent), cmp.Compare(a.Name, b.Name))
	})
	return parts, sum
}

// place finds the part that a stack counts for, and the function that tells it, or
// the part that a service was done for.
func place(stack []string, rules []Rule) (part, function string) {
	for i, function := range stack {
		r := match(function, rules)
		switch {
		case r.Part == "":
			continue
		case r.Service:
			return r.Part, "for " + client(stack[i+1:], rules)
		}
		return r.Part, function
	}
	if len(stack) == 0 {
		return Other, "unknown"
	}
	return Other, stack[0]
}

// client finds the part outside a service.
func client(stack []string, rules []Rule) string {
	for _, function := range stack {
		if r := match(function, rules); r.Part != "" && !r.Service {
			return r.Part
		}
	}
	return Other
}

// match returns the rule for a function; it has no part if there is none.
func match(function string, rules []Rule) (best Rule) {
	for _, r := range rules {
		if len(r.Prefix) > len(best.Prefix) && strings.HasPrefix(function, r.Prefix) {
			best = r
		}
	}
	return best
}
