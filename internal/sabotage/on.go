//go:build sabotage

package sabotage

import "sync/atomic"

var chosen atomic.Pointer[string] // nil: none

// Choose plants the bug of that name, in the place of the one before.
func Choose(name string) { chosen.Store(&name) }

// Is reports whether the bug of that name is planted.
func Is(name string) bool {
	c := chosen.Load()
	return c != nil && *c == name
}
