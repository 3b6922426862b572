//go:build !sabotage

package sabotage

// Is is false: nothing is planted.
func Is(string) bool { return false }
