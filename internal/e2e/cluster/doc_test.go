// Package cluster runs nodes that share a queue in PostgreSQL, with a standby, under
// load, and kills one thing after another: no message that was answered 250 is lost, and
// what is sent twice is in the journal. What troubles a database (rights, passwords, a full disk, a clock, a slow
// standby) is said, and clients are told to come again.
package cluster
