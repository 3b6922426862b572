package spool

import "github.com/posthouse/posthouse/internal/mail"

// Checked is what a check of a spool has read, and what was wrong with it.
type Checked struct {
	Messages, Recipients, Files int64
	Bytes                       int64 // of contents
	Facts                       int64
	Quarantined                 int64     // messages that were found damaged before
	Problems                    []Problem // an engine bounds how many
	More                        bool      // there were more problems
}

// Problem is something in a spool that is not as it should be.
type Problem struct {
	ID   mail.ID // message that it is about; zero: none
	What string
}
