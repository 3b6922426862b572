// Package cluster runs nodes that share a queue in PostgreSQL, with a standby, under
// load, and kills one thing after another: no message that was answered 250 is lost, and
// what is sent twice is in the journal.
package cluster
