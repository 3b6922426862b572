// Package maildrop is where programs leave mail for a daemon that is away: a
// directory with a file for each message. [Add] puts a message there durably;
// a [Sweeper] finds it, hands it on and removes it.
//
// # The directory
//
// [Make] makes it. In one for all users of a machine nobody but its owner, who is
// the daemon, can see what is there; everybody can put something in.
//
//	drop/tmp      a file is written and synced here
//	drop/new      and renamed to here: it is whole
//	drop/taken    a sweeper is at it
//	drop/waiting  it was not taken, and will be tried again
//	drop/damaged  it is no message, or nobody wants it: kept for a person to look at
//
// A file is handed on only from taken, under a lock that ends with its process. So
// this is what a crash leaves, and what becomes of it:
//
//	in tmp      Add has not returned: nobody was told that the message is safe.
//	            It is removed when it is 36 hours old
//	in new      as if the crash had not been
//	in taken    nobody holds the lock: it may have been handed on before the crash,
//	            and is handed on again as a possible second copy
//	in waiting  as if the crash had not been
//	in two of   a move was under way: it is where it went
//	these
//
// # The file
//
// It is what a client of SMTP would say, below a line with the number of octets
// that follow and their CRC-32C, so that one that is cut or changed is noticed:
//
//	POSTHOUSE-DROP 1 0000000000000187 5a3e0c1f
//	MAIL FROM:<ann@sohu.example> BODY=8BITMIME RET=HDRS
//	RCPT TO:<bob@sina.example> NOTIFY=FAILURE,DELAY
//	BDAT 101 LAST
//	From: ...
//
// Who left it is not in the file: that is the file's owner, which nobody can
// choose. Files come from anybody, so that a sweeper trusts nothing: not that it is
// a file, that it has one name only, that it ends, or that it stays what it is.
package maildrop
