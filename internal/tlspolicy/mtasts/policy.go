package mtasts

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
)

// Mode is how a policy is meant (RFC 8461, 5).
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Testing Mode = "testing"
	None    Mode = "none"
)

// Policy is what a domain publishes (RFC 8461, 3.2).
type Policy struct {
	Mode   Mode
	MaxAge time.Duration // at most a year
	// MX are the hosts that may have the mail: "mx.example.org", and "*.example.org" for
	// one label in front. None only in mode none.
	MX []string
}

// Bounds of a policy.
const (
	maxPolicy  = 64 << 10 // octets (RFC 8461, 3.3)
	maxMX      = 1000
	longestAge = 31_557_600 * time.Second
)

// ParsePolicy reads a policy. Lines end with CRLF or LF; what is not known is passed over.
func ParsePolicy(text string) (Policy, error) {
	p, seen := Policy{}, map[string]bool{}
	if len(text) > maxPolicy {
		return p, fmt.Errorf("the policy has more than %d octets", maxPolicy)
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, maxPolicy+1)
	for lines.Scan() {
		word, value, ok := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		if word, value = strings.TrimRight(word, " \t"), strings.TrimSpace(value); !ok {
			return p, fmt.Errorf("the line %q has no colon", clip(lines.Text()))
		}
		if seen[word] && word != "mx" {
			continue // the first one counts (RFC 8461, 3.2)
		}
		seen[word] = true
		if err := p.field(word, value); err != nil {
			return p, err
		}
	}
	switch {
	case lines.Err() != nil:
		return p, lines.Err()
	case !seen["version"] || !seen["mode"] || !seen["max_age"]:
		return p, errors.New("version, mode and max_age are not all there")
	case len(p.MX) == 0 && p.Mode != None:
		return p, errors.New("no mx is named")
	}
	return p, nil
}

func (p *Policy) field(word, value string) error {
	switch word {
	case "version":
		if value != "STSv1" {
			return fmt.Errorf("the version is %q, not STSv1", clip(value))
		}
	case "mode":
		p.Mode = Mode(value)
		if !slices.Contains([]Mode{Enforce, Testing, None}, p.Mode) {
			return fmt.Errorf("the mode %q is not known", clip(value))
		}
	case "max_age":
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || len(value) > 10 {
			return fmt.Errorf("max_age is %q, not a number of seconds", clip(value))
		}
		p.MaxAge = time.Duration(min(n, uint64(longestAge/time.Second))) * time.Second
	case "mx":
		if len(p.MX) == maxMX {
			return fmt.Errorf("there are more than %d mx lines", maxMX)
		}
		name, err := dns.ParseName(strings.TrimPrefix(value, "*."))
		if err != nil || name.IsRoot() {
			return fmt.Errorf("mx: %q is no name of a host", clip(value))
		}
		pattern := name.String()
		if strings.HasPrefix(value, "*.") {
			pattern = "*." + pattern
		}
		p.MX = append(p.MX, pattern)
	}
	return nil
}

// String prints the policy as it is published, one that [ParsePolicy] reads.
func (p *Policy) String() string {
	return strings.Join(p.Lines(), "\r\n") + "\r\n"
}

// Lines returns the lines of the policy.
func (p *Policy) Lines() []string {
	lines := []string{"version: STSv1", "mode: " + string(p.Mode)}
	for _, mx := range p.MX {
		lines = append(lines, "mx: "+mx)
	}
	return append(lines, "max_age: "+strconv.FormatInt(int64(p.MaxAge/time.Second), 10))
}

// Names reports whether the policy names a host (RFC 8461, 4.1).
func (p *Policy) Names(host dns.Name) bool {
	for _, pattern := range p.MX {
		parent, wild := strings.CutPrefix(pattern, "*.")
		label, rest, _ := strings.Cut(host.String(), ".")
		if !wild && pattern == host.String() || wild && label != "" && rest == parent {
			return true
		}
	}
	return false
}

// ParseRecord reads the texts at _mta-sts below a domain, and returns the id of its
// policy (RFC 8461, 3.1). It is "" if there is not exactly one such text, or it is none.
func ParseRecord(texts []string) (id string) {
	found := 0
	for _, t := range texts {
		if fields := strings.Split(t, ";"); strings.TrimRight(fields[0], " \t") == "v=STSv1" && len(fields) > 1 {
			found++
			id = idOf(fields[1:])
		}
	}
	if found != 1 {
		return ""
	}
	return id
}

func idOf(fields []string) string {
	for _, f := range fields {
		if word, value, ok := strings.Cut(strings.Trim(f, " \t"), "="); ok && word == "id" {
			if isID(value) {
				return value
			}
			return ""
		}
	}
	return ""
}

// isID: 1*32(ALPHA / DIGIT).
func isID(s string) bool {
	if len(s) == 0 || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func clip(s string) string { return s[:min(len(s), 80)] }
