package budget

const (
	ours   = "github.com/posthouse/posthouse/"
	pebble = "github.com/cockroachdb/pebble/v2"
)

// Posthouse returns the rules for the program of this project.
func Posthouse() []Rule {
	return []Rule{
		// What the system does for us.
		{"net.(*", "network"},
		{"internal/poll.(*FD).Accept", "network"},
		{"internal/poll.(*FD).Fsync", "sync"},
		{"syscall.Fdatasync", "sync"},
		{"golang.org/x/sys/unix.Fdatasync", "sync"},
		{"golang.org/x/sys/unix.SyncFileRange", "sync"},
		{"golang.org/x/sys/unix.Fsync", "sync"},

		// What the Go runtime does for us.
		{"runtime.gcBgMarkWorker", "garbage collection"},
		{"runtime.gcAssistAlloc", "garbage collection"},
		{"runtime.gcStart", "garbage collection"},
		{"runtime.gcDrain", "garbage collection"},
		{"runtime.wbBufFlush", "garbage collection"},
		{"runtime.gcWriteBarrier", "garbage collection"},
		{"runtime.bgsweep", "garbage collection"},
		{"runtime.bgscavenge", "garbage collection"},
		{"runtime.(*mspan).sweep", "garbage collection"},
		{"runtime.mallocgc", "allocation"},
		{"runtime.growslice", "allocation"},
		{"runtime.newstack", "growing stacks"},
		{"runtime.mcall", "scheduling"},
		{"runtime.schedule", "scheduling"},
		{"runtime.findRunnable", "scheduling"},
		{"runtime.ready", "scheduling"},
		{"runtime.goready", "scheduling"},
		{"runtime.wakep", "scheduling"},
		{"runtime.newproc", "scheduling"},
		{"runtime.sysmon", "scheduling"},
		{"runtime.entersyscall", "scheduling"},
		{"runtime.exitsyscall", "scheduling"},
		{"runtime.netpoll", "scheduling"},
		{"runtime.semrelease", "scheduling"},
		{"runtime.semacquire", "scheduling"},
		{"runtime.selectgo", "scheduling"},
		{"runtime.chansend", "scheduling"},
		{"runtime.chanrecv", "scheduling"},
		{"runtime.closechan", "scheduling"},
		{"runtime.mstart", "scheduling"},
		{"runtime.goexit0", "scheduling"},
		{"runtime.gdestroy", "scheduling"},

		// What we do.
		{ours + "smtp.", "SMTP: words"},
		{ours + "smtp/smtpserver.", "SMTP: server"},
		{ours + "smtp/smtpclient.", "SMTP: client"},
		{ours + "message.", "trace fields"},
		{ours + "internal/mail.", "intake"},
		{ours + "internal/intake.", "intake"},
		{ours + "internal/directory", "directory"},
		{ours + "internal/spool", "spool"},
		{ours + "internal/spool/pebblespool.(*latch", ""}, // stands between the engine and the disk
		{ours + "internal/event", "journal"},
		{ours + "internal/dispatch.", "dispatch"},
		{ours + "internal/queue.", "queue"},
		{ours + "internal/route.", "queue"},
		{ours + "internal/transport", "transport"},
		{ours + "internal/dns", "transport"},
		{ours + "internal/dsn", "reports"},
		{ours + "internal/daemon.", "daemon"},
		{ours + "internal/admin", "daemon"},
		{ours + "internal/cli/run.", "log"},
		{"log/slog.", "log"},

		// What the engine of the spool does.
		{pebble + "/record.", "engine: log (WAL)"},
		{pebble + "/wal.", "engine: log (WAL)"},
		{pebble + ".(*DB).flush", "engine: flush, compaction"},
		{pebble + ".(*DB).compact", "engine: flush, compaction"},
		{pebble + ".(*DB).runCompaction", "engine: flush, compaction"},
		{pebble + ".(*DB).deleteObsolete", "engine: flush, compaction"},
		{pebble + ".(*cleanupManager)", "engine: flush, compaction"},
		{pebble + ".(*commitPipeline)", "engine: commit"},
		{pebble + ".(*Batch)", "engine: commit"},
		{pebble + ".(*memTable)", "engine: commit"},
		{pebble + ".(*DB).Apply", "engine: commit"},
		{pebble + ".(*DB).commit", "engine: commit"},
		{pebble + "/internal/arenaskl.(*Skiplist)", "engine: commit"},
		{pebble + ".(*DB).Get", "engine: reads"},
		{pebble + ".(*Iterator)", "engine: reads"},
		{pebble + ".(*DB).NewIter", "engine: reads"},
	}
}
