// Package spooltest is the suite that every engine of the spool passes:
//
//	func TestContract(t *testing.T) {
//		spooltest.Run(t, func(t testing.TB) spooltest.Subject { ... })
//	}
//
// Its parts are named after what an operator may rely on. The last one,
// "model", plays random days against a plain model of the contract, crashes included.
package spooltest
