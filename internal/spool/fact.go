package spool

import (
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Fact is one record of the journal. What Data says is between those who write
// and those who read it; the spool does not look into it.
type Fact struct {
	ID   mail.ID // message that it is about; zero: none
	At   time.Time
	Data []byte
	Seq  uint64 // place in the journal: when it was appended in Unix nanoseconds, made unique and growing by the engine
}

// FactQuery says which facts are read, in the order of the journal. For facts of one message set ID.
// Facts of a message are found by its ID for as long as a fact of the age of its arrival would be kept.
type FactQuery struct {
	ID     mail.ID   // only facts about this message
	After  uint64    // only facts after this place; 0: from the start
	Since  time.Time // only facts that were appended at this time or later; zero: any
	Newest bool      // the other way round: the newest first, and After means before (0: from the end)
	Limit  int       // at most so many; 0 or more than MaxPage means MaxPage
}

// FactPage is a part of the journal.
type FactPage struct {
	Facts []Fact
	More  bool // there are more: go on with After = Facts[len(Facts)-1].Seq
}

func checkFacts(facts []Fact) error {
	for i := range facts {
		if n := len(facts[i].Data); n > MaxFact {
			return fmt.Errorf("fact of %d octets: %w", n, ErrLimit)
		}
	}
	return nil
}

// State is a small value that survives: an entry of a greylist, a cached policy.
// Room keeps the names of one use apart from those of another.
type State struct {
	Room, Key string
	Value     []byte
	Expires   time.Time // zero: never
	Version   uint64    // set by the engine
}

// Check reports what no engine can keep.
func (s *State) Check() error {
	switch {
	case s.Room == "" || s.Key == "":
		return fmt.Errorf("state without a name: %w", ErrLimit)
	case len(s.Room) > MaxName || len(s.Key) > MaxName:
		return fmt.Errorf("name of a state, %d octets: %w", max(len(s.Room), len(s.Key)), ErrLimit)
	case len(s.Value) > MaxState:
		return fmt.Errorf("state of %d octets: %w", len(s.Value), ErrLimit)
	}
	return nil
}

// Limit brings the limit of a page into its bounds.
func Limit(n int) int {
	if n <= 0 || n > MaxPage {
		return MaxPage
	}
	return n
}
