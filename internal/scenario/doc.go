// Package scenario is how a server misbehaves on purpose, so that programs which send
// mail can be tried against it: which step of a dialogue, which address and which try
// gets which fault.
//
// It is pure. A [Scenario] is rules; a [Play] of it remembers how often each of them was
// met, is told what happens and at what time, and answers with a [Verdict]. Who
// answers the connection carries that out (package door).
//
// Rules come from a file of HCL ([ParseFile]), as JSON ([Rule] has the names of its
// fields), or from Go. The first rule that fits, and whose turn it is, decides.
package scenario
