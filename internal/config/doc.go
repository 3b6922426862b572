// Package config reads the configuration file: one file in HCL, as typed values
// that know where they come from.
//
// [Parse] goes in this order: the words that may be there at all (tokens.go), the
// syntax (HCL), each setting by the tables of schema.go, and then what only shows
// when settings are seen together (check.go): an open relay, two listeners on one
// port, a route that no mail can reach. All problems of a file are told at once,
// each a [Problem] with line, column, the line itself and often a hint.
//
// Nothing is built here and no other file is read. Rooms take their own types; the
// assembly converts. Every value is the one that holds: what the file does not say
// has its default, with a zero [mail.Origin].
//
// # The language
//
// Values are text in quotes, numbers, true and false, and lists; a list of one may
// stand without its brackets. A duration is "90s", "5m", "4h", "5d" or several of
// these, as "1d12h"; a size is a number of octets or "128KiB", "50MiB", "2GB". An
// environment variable is read only where env("NAME") or env("NAME", "default")
// names it, also inside of text: "127.0.0.1:${env("PORT")}". A secret is never in
// the file: [Secret] says where it is.
//
// [Example] holds whole files; the one called "full" has every setting with its
// default.
package config
