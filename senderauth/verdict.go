package senderauth

// Verdict is the answer of a standard, in the words of Authentication-Results
// (RFC 8601, 2.7). No standard uses all of them.
type Verdict string

// What each means is said by the standard; in common they have:
const (
	None      Verdict = "none"      // nothing to check
	Pass      Verdict = "pass"      // proved
	Fail      Verdict = "fail"      // disproved
	SoftFail  Verdict = "softfail"  // SPF: disproved, says the domain half-heartedly
	Neutral   Verdict = "neutral"   // the domain does not want to say, or cannot
	Policy    Verdict = "policy"    // proved, but in a way that we do not accept
	TempError Verdict = "temperror" // the DNS did not answer: try again later
	PermError Verdict = "permerror" // what the domain published or the signer wrote makes no sense
)
