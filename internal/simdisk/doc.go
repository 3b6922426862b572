// Package simdisk is for tests: a disk in memory that loses power. It keeps
// apart what a program sees and what the platter has, so that every promise that
// hangs on a sync can be tried.
//
// # What a crash leaves
//
// The rules are those that POSIX gives to programs, and no kinder:
//
//   - What was written to a file is durable when a Sync of that file returns. Until
//     then each sector of 4 KiB is on the disk, or not, or in part (in units of 512
//     octets), and the file's length is anything between that of the last Sync and
//     that of now. What lies within the length and is not on the disk reads as
//     before the write, or as zeros.
//   - That a name is there, or gone, is durable when a Sync of its directory returns,
//     whatever was synced of the file. Until then each change of a name happens or
//     not, in any order.
//   - A rename happens whole, or not, or leaves both names. Only a Sync of the old
//     directory without one of the new can lose the file.
//   - After a Sync has failed, what it should have made durable is lost to the
//     disk though readers still see it, and the next Sync does not bring it back.
//
// Which of these outcomes comes is told by the seed of [Disk.Crash], the name that
// the file was born with, and the offset: so one seed tells one story, however the
// goroutines that wrote took turns.
//
// # How to use it
//
// A [Disk] is a Pebble vfs.FS. [Disk.Operations] counts what changes the disk, and
// [Disk.StopBefore] cuts the power before one of them:
//
//	for at := 1; ; at++ {
//		d := simdisk.New(simdisk.Options{})
//		d.StopBefore(at)
//		promised := journey(d)
//		if _, stopped := d.Stopped(); !stopped {
//			break // the journey has fewer operations
//		}
//		check(d.Crash(seed), promised)
//	}
//
// No lock is held across a wait, so a disk may be used in a synctest bubble.
package simdisk
