// Package sendmail is the commands by which programs have always submitted mail and
// looked after the queue: "posthouse sendmail", "posthouse mailq" and "posthouse
// newaliases". The program is also all of them under those names.
//
// A message goes this way: options.go reads the command line, letter.go takes the
// text from the standard input and mends what programs leave out, header.go says
// how, deliver.go hands it to the daemon over its socket for programs of this
// machine, and what the daemon cannot take now goes to the drop directory, from
// which it takes it later. The exit status says whether somebody is responsible for
// the message now; that is never left open. The other things that the commands do
// have files of their names: session.go, verify.go, mailq.go.
package sendmail
