package arc

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
)

const (
	sealName      = "ARC-Seal"
	signatureName = "ARC-Message-Signature"
)

// MaxSets bounds a chain (RFC 8617, 5.2).
const MaxSets = 50

// set is what one sealer added (RFC 8617, 4.2).
type set struct {
	seal, signature, results message.RawField
	sealTags, signatureTags  senderauth.TagList
	cv                       string
}

// collect finds the sets in a header, oldest first. There may be holes in them.
// The error is the first thing that no valid chain has; then what was found up
// to there says only how many sets there may be.
func collect(h message.Header) (sets []*set, err error) {
	for _, f := range h {
		if e := add(&sets, f); e != nil && err == nil {
			err = e
		}
	}
	return sets, err
}

// add puts a field into its set, if it is one of a chain.
func add(sets *[]*set, f message.RawField) error {
	name := strings.ToLower(f.Name())
	if !slices.Contains([]string{"arc-seal", "arc-message-signature", "arc-authentication-results"}, name) {
		return nil
	}
	tags, instance, err := parseField(name, f)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	for len(*sets) < instance {
		*sets = append(*sets, &set{})
	}
	return (*sets)[instance-1].put(name, f, tags)
}

func (s *set) put(name string, f message.RawField, tags senderauth.TagList) error {
	at := &s.results
	switch name {
	case "arc-seal":
		at, s.sealTags = &s.seal, tags
		s.cv, _ = tags.Get("cv")
	case "arc-message-signature":
		at, s.signatureTags = &s.signature, tags
	}
	if *at != nil {
		return fmt.Errorf("two fields %s of one instance", f.Name())
	}
	*at = f
	return nil
}

// parseField returns the tags of a field, which are none for results, and the
// instance that it belongs to.
func parseField(name string, f message.RawField) (tags senderauth.TagList, instance int, err error) {
	_, value, _ := strings.Cut(string(f), ":")
	if name == "arc-authentication-results" {
		value, _, _ = strings.Cut(value, ";")
	}
	if tags, err = senderauth.ParseTagList(value); err != nil {
		return nil, 0, err
	}
	i, ok := tags.Get("i")
	if !ok {
		return nil, 0, errors.New("tag i= is missing")
	}
	instance, err = strconv.Atoi(i)
	if err != nil || instance < 1 || instance > MaxSets || i[0] == '+' {
		return nil, 0, fmt.Errorf("tag i= is no number from 1 to %d: %.20q", MaxSets, i)
	}
	return tags, instance, nil
}

// checkStructure is step 3 of RFC 8617, 5.2.
func checkStructure(sets []*set) error {
	for i, s := range sets {
		if s.seal == nil || s.signature == nil || s.results == nil {
			return fmt.Errorf("set %d is not whole", i+1)
		}
		want := "pass"
		if i == 0 {
			want = "none"
		}
		if s.cv != want {
			return fmt.Errorf("set %d says cv=%.20s, and not cv=%s", i+1, s.cv, want)
		}
	}
	return nil
}

// parseSeal reads an ARC-Seal (RFC 8617, 4.1.3).
func parseSeal(tags senderauth.TagList) (*senderauth.Signature, error) {
	if _, ok := tags.Get("h"); ok {
		return nil, errors.New("tag h= is not allowed in a seal")
	}
	return senderauth.ParseSeal(tags)
}

// parseSignature reads an ARC-Message-Signature (RFC 8617, 4.1.2).
func parseSignature(tags senderauth.TagList) (*senderauth.Signature, error) {
	sig, err := senderauth.ParseSignature(tags)
	if err != nil {
		return nil, err
	}
	from := false
	for _, name := range sig.Names {
		if strings.EqualFold(name, sealName) {
			return nil, errors.New("tag h= names ARC-Seal")
		}
		from = from || strings.EqualFold(name, "From")
	}
	if !from {
		return nil, errors.New("the signature does not cover From")
	}
	return sig, nil
}
