package smtp

import "strings"

// param is one esmtp-param (RFC 5321, 4.1.2).
type param struct {
	name  string // in capitals
	value string
	has   bool // there was a '='
}

// eachParam splits the parameters behind a path and calls yield with each, until
// one is refused.
func eachParam(s string, yield func(param) *Reply) *Reply {
	seen := 0
	for s != "" {
		var word string
		word, s, _ = strings.Cut(s, " ")
		if word == "" {
			continue
		}
		if seen++; seen > maxParams {
			return Replyf(CodeSyntax, EnhancedCode{5, 5, 4}, "More than %d parameters", maxParams)
		}
		name, value, has := strings.Cut(word, "=")
		if !isKeyword(name) || has && value == "" {
			return Replyf(CodeSyntax, EnhancedCode{5, 5, 4}, "%q is no parameter", clip(word))
		}
		if r := yield(param{upper(name), value, has}); r != nil {
			return r
		}
	}
	return nil
}

// maxParams is how many parameters a command may have. The extensions that this
// package knows define twelve.
const maxParams = 32

func isKeyword(s string) bool {
	for i := range len(s) {
		if !isLetDig(s[i]) && (s[i] != '-' || i == 0) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func unknownParam(a param) *Reply {
	return Replyf(CodeParamUnknown, EnhancedCode{5, 5, 4},
		"Parameter %s is not known or not offered here", clip(a.name))
}

func badParam(a param, err error) *Reply {
	return Replyf(CodeSyntax, EnhancedCode{5, 5, 4}, "Parameter %s: %v", clip(a.name), err)
}
