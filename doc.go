// Package posthouse is the root of the module: the mail system is in the
// packages below it. See README.md for what it does and ARCHITECTURE.md for
// where things are.
package posthouse
