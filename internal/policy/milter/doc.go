// Package milter asks programs that speak the milter protocol of Sendmail, in its
// version 6 or an older one: rspamd, OpenDKIM, clamav-milter and many more. It is a
// check of package policy.
//
// The programs hear of a connection stage by stage, each stage with its macros. They
// may refuse at any of them, and when they have heard the whole message they may change
// it: its fields, its body, its sender and its recipients. A [Milter] keeps a few
// connections to its program and uses them again, for another client, if the program
// understands that (SMFIC_QUIT_NC).
//
// # What is ours to decide
//
// A program that cannot be reached, is too slow or says what makes no sense has an
// opinion that the settings give: by default mail is deferred. What it says is bounded:
// octets of a packet, how many changes, octets of a new body, and the time of each
// stage, also if it says again and again that it is at work.
//
// # Why not a library
//
// github.com/emersion/go-milter has a client. What it reads of one message is not
// bounded, neither in octets nor, with "progress", in time; it does not end with a
// context; it uses no connection twice; and replies with codes come with their percent
// signs doubled. What was left after mending that would have been the constants.
package milter
