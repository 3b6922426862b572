package verify

import "github.com/posthouse/posthouse/senderauth"

// sense is what a verdict of a method means, and where that is said.
type sense struct{ means, rfc string }

// senses are those of each method.
var senses = map[string]map[senderauth.Verdict]sense{
	"iprev": {
		senderauth.Pass:      {"the client has a name that leads back to it", "RFC 8601, 3"},
		senderauth.Fail:      {"the client has no name that leads back to it", "RFC 8601, 3"},
		senderauth.TempError: {"the DNS does not tell the name of the client", "RFC 8601, 3"},
		senderauth.PermError: {"the client's name cannot be found out", "RFC 8601, 3"},
	},
	"spf": {
		senderauth.None:      {"the domain does not say who may send for it", "RFC 7208, 2.6.1"},
		senderauth.Neutral:   {"the domain does not want to say whether the client may send for it", "RFC 7208, 2.6.2"},
		senderauth.Pass:      {"the client may send for the domain", "RFC 7208, 2.6.3"},
		senderauth.Fail:      {"the client may not send for the domain", "RFC 7208, 2.6.4"},
		senderauth.SoftFail:  {"the client should not send for the domain", "RFC 7208, 2.6.5"},
		senderauth.TempError: {"the DNS does not tell who may send for the domain", "RFC 7208, 2.6.6"},
		senderauth.PermError: {"what the domain says makes no sense", "RFC 7208, 2.6.7"},
	},
	"dkim": {
		senderauth.None:      {"nobody has signed the message", "RFC 6376, 6.1"},
		senderauth.Pass:      {"the domain has signed what came here", "RFC 6376, 6.1.3"},
		senderauth.Fail:      {"what came here is not what the domain signed, or no more", "RFC 6376, 6.1.3"},
		senderauth.Policy:    {"the signature leaves room for others to add something", "RFC 6376, 8.2 and 8.15"},
		senderauth.Neutral:   {"the signature says nothing", "RFC 6376, 6.1.1"},
		senderauth.TempError: {"the DNS does not tell the key", "RFC 6376, 6.1.2"},
		senderauth.PermError: {"the signature or its key makes no sense", "RFC 6376, 6.1.1 and 6.1.2"},
	},
	"arc": {
		senderauth.None: {"no forwarder has sealed the message", "RFC 8617, 5.2"},
		senderauth.Pass: {"all forwarders' seals hold", "RFC 8617, 5.2"},
		senderauth.Fail: {"the seals do not hold", "RFC 8617, 5.2"},
	},
	"dmarc": {
		senderauth.None:      {"the author's domain has no policy", "RFC 9989, 4.10"},
		senderauth.Pass:      {"one who was authenticated speaks for the author", "RFC 9989, 4.4"},
		senderauth.Fail:      {"nobody who was authenticated speaks for the author", "RFC 9989, 4.4"},
		senderauth.TempError: {"the DNS does not tell the policy of the author's domain", "RFC 9989, 4.10"},
		senderauth.PermError: {"it cannot be said who the author is", "RFC 9989, 4.1"},
	},
}

func meaning(method string, v senderauth.Verdict) sense { return senses[method][v] }
