// Package cli holds what the commands of the program share at the terminal:
// how they end (the exit statuses of sysexits), how they print what a stranger
// sent, JSON, and progress. Each command is a package below this one with a
// function Command.
package cli
