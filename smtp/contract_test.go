package smtp

import (
	"slices"
	"testing"
)

// TestContract holds the tables of codes and verbs to each other.
func TestContract(t *testing.T) {
	answers := map[Code]bool{}
	for i, v := range Verbs {
		if int(v.Verb) != i+1 {
			t.Errorf("%s is at place %d, and not at %d", v.Name, i, v.Verb-1)
		}
		if v.Summary == "" || v.Source == "" || v.Verb.String() != v.Name {
			t.Errorf("%s: the row is not whole: %+v", v.Name, v)
		}
		checkCodes(t, v.Name, v.Replies, answers)
		for _, c := range v.Replies {
			if slices.Contains(Common, c) {
				t.Errorf("%s: %d is common to all verbs", v.Name, c)
			}
			if !v.Verb.Permits(c) {
				t.Errorf("%s does not permit %d", v.Name, c)
			}
		}
		if v.Verb.Permits(CodeSyntax) != true || v.Verb.Permits(599) || v.Verb.Permits(0) {
			t.Errorf("%s: common codes are permitted, and unknown ones are not", v.Name)
		}
	}
	checkCodes(t, "Common", Common, answers)
	for _, c := range Codes {
		if !answers[c.Code] {
			t.Errorf("%d is an answer to no verb", c.Code)
		}
	}
}

// checkCodes holds a list to be in order, without doubles, and of codes that
// have a meaning; it notes them in seen.
func checkCodes(t *testing.T, name string, codes []Code, seen map[Code]bool) {
	t.Helper()
	for i, c := range codes {
		if i > 0 && codes[i-1] >= c {
			t.Errorf("%s: %d is not above %d", name, c, codes[i-1])
		}
		if c.Meaning() == "" {
			t.Errorf("%s: %d is not in Codes", name, c)
		}
		seen[c] = true
	}
}

func TestEveryCodeOfTheListHasAMeaning(t *testing.T) {
	want := []Code{
		211, 214, 220, 221, 235, 250, 251, 252, 253, 334, 353, 354, 421, 432, 450, 451, 452, 454, 455, 458, 459, 500,
		501, 502, 503, 504, 521, 523, 530, 534, 535, 538, 550, 551, 552, 553, 554, 555, 556,
	}
	var got []Code
	for _, c := range Codes {
		got = append(got, c.Code)
		if c.Source == "" || !c.Code.Valid() || c.Code.Meaning() != c.Meaning {
			t.Errorf("%d: the row is not whole: %+v", c.Code, c)
		}
		kinds := 0
		for _, is := range []bool{c.Code.Positive(), c.Code.Temporary(), c.Code.Permanent()} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("%d is of %d kinds", c.Code, kinds)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the codes are %v, want %v", got, want)
	}
	for _, c := range []Code{0, 199, 260, 600, -250, 2500} {
		if c.Valid() || c.Meaning() != "" {
			t.Errorf("%d is no code", c)
		}
	}
}

func TestEnhancedCodesAreInOrder(t *testing.T) {
	for i, e := range EnhancedCodes {
		if i > 0 {
			p := EnhancedCodes[i-1]
			if e.Subject*1000+e.Detail <= p.Subject*1000+p.Detail {
				t.Errorf("%d.%d is not above %d.%d", e.Subject, e.Detail, p.Subject, p.Detail)
			}
		}
		if code := (EnhancedCode{5, e.Subject, e.Detail}); code.Meaning() != e.Meaning || e.Meaning == "" || e.Source == "" {
			t.Errorf("%s: the row is not whole: %+v", code, e)
		}
	}
	if (EnhancedCode{5, 9, 9}).Meaning() != "" {
		t.Error("5.9.9 means nothing")
	}
}

func TestEveryVerbIsFoundByItsName(t *testing.T) {
	for _, v := range Verbs {
		spoken := v.Verb != Greeting && v.Verb != Dot
		if got := ParseVerb(v.Name, false); (got == v.Verb) != spoken {
			t.Errorf("%s is read as %s", v.Name, got)
		}
		if v.Alias != "" && (ParseVerb(v.Alias, true) != v.Verb || ParseVerb(v.Alias, false) != VerbUnknown) {
			t.Errorf("%s stands for %s, and only where aliases are understood", v.Alias, v.Name)
		}
	}
	for _, word := range []string{"", "MAI", "MAILS", "RſET", ".", "CONNECT"} {
		if v := ParseVerb(word, true); v != VerbUnknown {
			t.Errorf("%q is read as %s", word, v)
		}
	}
	if VerbUnknown.String() != "" || Verb(200).String() != "" || !VerbUnknown.Permits(299-50) || VerbUnknown.Permits(999) {
		t.Error("an unknown verb has no name, and any legal answer")
	}
}
