// Package posttest is a mail server for tests: it takes whatever a program sends, a test
// waits for it and looks at it, and the server misbehaves as it is told to.
//
//	func TestWelcome(t *testing.T) {
//		server := posttest.New(t)
//		signUp(server.Addr(), "jane@example.org") // the program under test
//		m := server.Wait(t, posttest.To("jane@example.org"), posttest.Subject("Welcome"))
//		m.Contains(t, "Hello Jane")
//		follow(m.Link(t, "/confirm"))
//	}
//
// The server listens on a free port of 127.0.0.1 until the test is at its end, and accepts
// every recipient and every login; STARTTLS is an option. A message can be waited for as soon as its sender has heard 250.
// Messages are in memory.
//
// [Server.Play] has it refuse, delay, cut, greylist and more, by step, by address and by try:
//
//	server.Play(t, posttest.Rule{On: posttest.Rcpt, Tries: "1-2", Reply: "450 4.2.0 Come back later"})
//
// Functions that take a [testing.TB] end the test when what they want is not there, and
// say what is there instead.
package posttest
