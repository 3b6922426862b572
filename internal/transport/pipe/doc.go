// Package pipe is the transport to a program: the message is its standard input,
// its exit status says what becomes of the recipient (sysexits.h), and what it
// prints is the text of the reply.
//
// There is no shell. Words of the command may name parts of the envelope, such as
// %{recipient}; each is one argument, whatever it holds, and a value that could
// be taken for an option is refused. The program has the environment that the
// options give, a time limit, and a process group of its own, which ends with it.
// It runs once for each recipient.
package pipe
