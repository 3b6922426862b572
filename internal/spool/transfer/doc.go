// Package transfer copies all that an engine of the spool holds into another: mail with
// what has become of each recipient, the journal and the states. Nobody else works with
// either of them meanwhile.
//
// The steps, and what a stop behind each of them leaves:
//
//  1. The target is marked as unfinished; only an empty one is taken, or one that bears this mark.
//     (A house does not open it, and the same copy goes on from where it was.)
//  2. Messages, facts and states are copied.                   (The same.)
//  3. Both are read again, and their counts and checksums compared. (The same.)
//  4. The source is marked as moved, durably.                  (A house opens neither; the same copy ends it.)
//  5. The mark of the target goes.                             (The target is the queue from here on.)
//
// So at no time would two houses send the same mail.
package transfer
