// Package cli holds what the commands of the program share: exit statuses (those
// of sysexits), safe printing of what strangers sent, JSON, progress bars, and
// flags that are files or addresses. Each command is a package below this one with
// a function Command that returns it.
package cli
