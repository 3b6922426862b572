// Package web is the console: the pages on which people see the mail of a house and
// steer it. They are made here by html/template, can be read without JavaScript, and
// stay as they are by server-sent events where there is some.
//
//	c := web.New(web.Options{API: api, Rights: rights, Door: door, ...})
//	go func() { served <- c.Serve(ctx, l) }() // ends soon after ctx has
//	c.Changed(web.TopicQueue)                 // pages that show the queue are drawn anew
//
// The pages of the queue ask the control API in the same process, and have no other
// way into the house: what a page can do, a program can do too.
//
// # The way of a request
//
//  1. [Console.Serve] bounds its head, its body and its time.
//  2. guard.go: the Host must be one that is ours, or a page of a stranger's name could
//     reach a console at home by rebinding; a request that changes something must come
//     from a page of ours ([net/http.CrossOriginProtection]).
//  3. rights.go: who asks, and what that one may: see ([Viewer]) or order ([Operator]).
//  4. A page asks for what it shows, and page.go draws it in a language.
//
// # Mail is hostile
//
// Everything a message says is text to html/template. The HTML of a message is never in
// a page of ours: it is an answer of its own, with a policy that lets nothing run and
// nothing be fetched ("sandbox", which gives it an origin that is nobody's), shown in a
// frame that has no rights either. Pages themselves may use only what is named in
// [policy], and scripts and styles are files of this program.
package web
