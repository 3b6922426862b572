// Package filedir is a directory of files: domains from the configuration, names
// from lists and from alias files.
//
// [Load] reads everything and checks it: unknown names, aliases that lead back to
// themselves, lists that are too long. It tells all problems with their lines and
// makes nothing if there is one. What it makes does not change: after a reload the
// caller puts the new Directory in the place of the old one.
//
// # Alias files
//
// The form of a domain has a name and those who get its mail, with a colon between
// them or without:
//
//	# a comment
//	sales:  jane, joe@partner.example
//	office  jane, sales,
//	        "the porter"
//	jane:   jane, archive
//
// A line that begins with a space continues the one before. A name without a domain
// is of the same domain. An alias that names itself means the mailbox of that name,
// and so does a name with a backslash in front: jane keeps her mail and the archive
// gets a copy. Tags are no part of what an alias passes on.
//
// The form of Unix (/etc/aliases) needs the colon and has, where the options allow
// it, three more kinds of targets: "|command" and "/file", in quotes if there are
// spaces in them, and :include:/file for a file of targets, one or several a line. An
// included file may name others, but neither commands nor files.
package filedir
