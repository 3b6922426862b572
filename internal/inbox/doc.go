// Package inbox keeps the mail of a test inbox: messages that nobody is to get, to be
// looked at by people and waited for by tests.
//
// A [Store] has inboxes by name, each made when the first message comes for it. [Store.Put]
// returns when a message is on stable storage; from then on every other method sees it.
// Messages are files, two for each: the source as it came (ID.eml), and what is known of
// it (ID.json). What lists and searches need is in memory: about 1 KiB a message and the
// first 16 KiB of its words, less of them when the words of all messages together are past 64 MiB.
// A store without a directory is in memory altogether.
//
// Nothing grows without end: [Keep] bounds messages by number, age and octets, and the
// oldest go first. The lock of the index is never held while a file is touched.
package inbox
