// Package service is how the program lives under a supervisor such as systemd:
//
//   - [Notifier] tells how it does: ready, reloading, stopping, alive (sd_notify(3));
//   - [Sockets] are listeners that were opened before it had to answer at them: by the
//     supervisor (socket activation, sd_listen_fds(3)), or by itself while it was root;
//   - [Identity] is the user that it becomes, for good, when it no longer needs to be root.
//
// Without a supervisor all of it is silent.
package service
