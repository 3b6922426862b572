// Package mail is the nouns of the house: what mail is while we carry it. An
// [Envelope] has [Recipient]s and a [Content]; a route gives each recipient a
// [Hop]; whatever carries it there says what became of it in an [Outcome].
//
// Rooms do not know each other: they share these nouns. The package parses
// nothing, stores nothing and schedules nothing.
package mail
