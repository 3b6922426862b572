//go:build race

package smtp

// raceEnabled: the race detector makes every step some twenty times slower.
const raceEnabled = true
