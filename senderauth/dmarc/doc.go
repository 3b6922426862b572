// Package dmarc tells whether whoever authenticated a message speaks for the
// domain in its From field, and what that domain wants done if not: DMARC as in
// RFC 9989, with what RFC 7489 has besides as an option.
//
// [Check] takes the header and what SPF and DKIM found. It asks the DNS for
// policies, at most 8 questions for each domain that it must place, and 3 more
// where a policy is for names that do not exist.
//
// The organizational domain is found by the tree walk of RFC 9989, 4.10, or from
// the public suffix list, as most did before ([Options]).
package dmarc
