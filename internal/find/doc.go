// Package find finds messages in the journal: by address, domain, words or prefixes of
// words of subject and reply, and some more. It reads the journal behind the desks' backs
// and is never in their way: it may be some seconds behind, and says by how much.
//
//	x, err := find.Open(find.Options{Dir: dir, Journal: engine})
//	go x.Run(ctx)
//	page, err := x.Find(ctx, find.Query{Words: "from:ann@sina.example invoice*"})
//
// # Why it is no part of a spool
//
// The index promises nothing: whatever is wrong with it, it is made anew of the records.
// So it has no part in the engines' transactions, in their syncs, or in the latch that
// ends a house after a failed write; and it is the same for every engine, for all that it
// asks of one is Facts.
//
// # How it is made
//
// The journal is cut into chapters, each of which has the facts of a stretch of it: of
// some thousand messages. The newest chapter is in memory, and is read again from the
// journal after a start. A chapter that is full becomes a file that never changes: its
// terms in order, with the numbers of the messages that have them; and it goes when the
// journal has forgotten all that it tells of. A search looks through the chapters from
// the newest on until it has found enough.
//
// A message stands whole in each chapter that has facts of it: if one is told of again
// later, what was told before is read once more. So all that is known of a message is in
// the last chapter that knows it, and it is found there; in those before it, it is passed over.
package find
