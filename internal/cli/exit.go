package cli

import (
	"errors"
	"fmt"
)

// Status is how a program ends, with the numbers of sysexits.h that mail
// programs have always used.
type Status int

// The statuses that our commands end with.
const (
	OK          Status = 0
	Usage       Status = 64 // the command line is wrong
	DataErr     Status = 65 // the message was refused for good, or cannot be sent as it is
	NoInput     Status = 66 // a file cannot be read
	NoUser      Status = 67 // there is no such recipient
	NoHost      Status = 68 // the host has no address
	Unavailable Status = 69 // the other side cannot be reached, or refuses for good
	Software    Status = 70 // a fault of ours
	OSErr       Status = 71 // the system refuses something, such as a port
	CantCreate  Status = 73 // a file or directory cannot be made
	IOErr       Status = 74 // reading or writing failed half way
	TempFail    Status = 75 // the same may succeed later
	Protocol    Status = 76 // the other side did not answer as it must
	NoPerm      Status = 77 // the password or the permission is wrong
	Config      Status = 78 // the configuration is wrong
)

// exit is an error that knows the status to end with.
type exit struct {
	status Status
	err    error
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// Fail returns an error that ends the program with a status. The text says
// what is wrong and, in parentheses, what to do about it. The format is that
// of fmt.Errorf.
func Fail(status Status, format string, args ...any) error {
	return &exit{status, fmt.Errorf(format, args...)}
}

// End returns an error that ends the program with a status and has no text, for a
// command that has printed everything there is to say. For OK it returns nil.
func End(status Status) error {
	if status == OK {
		return nil
	}
	return &exit{status: status}
}

// StatusOf returns the status to end with after err: OK for nil, the one that Fail
// or End was given, and otherwise Software. told is false for the last.
func StatusOf(err error) (status Status, told bool) {
	if err == nil {
		return OK, true
	}
	var e *exit
	if errors.As(err, &e) {
		return e.status, true
	}
	return Software, false
}
