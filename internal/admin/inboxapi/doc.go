// Package inboxapi is the test inbox as JSON over HTTP: for programs that test what
// another program mails, and for the console's downloads.
//
// route.go has the table of all routes, which the mux and the OpenAPI document of a house are
// both made of; list.go, message.go, part.go, wait.go, events.go, release.go and scenario.go answer
// them. mailpit.go and its neighbours answer the calls of Mailpit's API that test helpers use
// most, in its shape and under its paths.
//
// Who may ask is for whoever serves the handler to say. Every body has a limit, every
// answer a time by which it is written, and no HTML of a message is given without a policy
// that lets nothing run.
package inboxapi
