package budget

const (
	ours   = "github.com/posthouse/posthouse/"
	pebble = "github.com/cockroachdb/pebble/v2"
)

// Posthouse returns the rules for the program of this project.
func Posthouse() (rules []Rule) {
	for _, p := range posthouse {
		for _, prefix := range p.prefixes {
			rules = append(rules, Rule{Prefix: prefix, Part: p.name, Service: p.service})
		}
	}
	return rules
}

// posthouse are its parts, and with what the names of their functions begin.
var posthouse = []struct {
	name     string
	service  bool // what it did is listed by whom it was for
	prefixes []string
}{
	// What the system does for us.
	{"network", true, []string{"net.(*", "internal/poll.(*FD).Accept"}},
	{"sync", true, []string{
		"internal/poll.(*FD).Fsync",
		"syscall.Fdatasync",
		"golang.org/x/sys/unix.Fdatasync",
		"golang.org/x/sys/unix.SyncFileRange",
		"golang.org/x/sys/unix.Fsync",
	}},
	// What the Go runtime does for us.
	{"garbage collection", false, []string{
		"runtime.gcBgMarkWorker",
		"runtime.gcAssistAlloc",
		"runtime.gcStart",
		"runtime.gcDrain",
		"runtime.wbBufFlush",
		"runtime.gcWriteBarrier",
		"runtime.bgsweep",
		"runtime.bgscavenge",
		"runtime.(*mspan).sweep",
	}},
	{"allocation", true, []string{"runtime.mallocgc", "runtime.growslice"}},
	{"growing stacks", true, []string{"runtime.newstack"}},
	{"scheduling", true, []string{
		"runtime.mcall",
		"runtime.schedule",
		"runtime.findRunnable",
		"runtime.ready",
		"runtime.goready",
		"runtime.wakep",
		"runtime.newproc",
		"runtime.sysmon",
		"runtime.entersyscall",
		"runtime.exitsyscall",
		"runtime.netpoll",
		"runtime.semrelease",
		"runtime.semacquire",
		"runtime.selectgo",
		"runtime.chansend",
		"runtime.chanrecv",
		"runtime.closechan",
		"runtime.mstart",
		"runtime.goexit0",
		"runtime.gdestroy",
	}},
	// What we do.
	{"SMTP: words", false, []string{ours + "smtp."}},
	{"SMTP: server", false, []string{ours + "smtp/smtpserver."}},
	{"SMTP: client", false, []string{ours + "smtp/smtpclient."}},
	{"trace fields", false, []string{ours + "message."}},
	{"intake", false, []string{ours + "internal/mail.", ours + "internal/intake."}},
	{"directory", false, []string{ours + "internal/directory"}},
	{"spool", false, []string{ours + "internal/spool"}},
	{"", false, []string{ours + "internal/spool/pebblespool.(*latch"}}, // stands between the engine and the disk
	{"journal", false, []string{ours + "internal/event"}},
	{"dispatch", false, []string{ours + "internal/dispatch."}},
	{"queue", false, []string{ours + "internal/queue.", ours + "internal/route."}},
	{"transport", false, []string{ours + "internal/transport", ours + "internal/dns"}},
	{"reports", false, []string{ours + "internal/dsn"}},
	{"daemon", false, []string{ours + "internal/daemon.", ours + "internal/admin"}},
	{"sessions, meter", false, []string{ours + "internal/session.", ours + "internal/meter."}},
	{"search", false, []string{ours + "internal/find."}},
	{"policy", false, []string{ours + "internal/policy"}},
	{"log", false, []string{ours + "internal/cli/run.", "log/slog."}},
	// What the engine of the spool does.
	{"engine: log (WAL)", false, []string{pebble + "/record.", pebble + "/wal."}},
	{"engine: flush, compaction", false, []string{
		pebble + ".(*DB).flush",
		pebble + ".(*DB).compact",
		pebble + ".(*DB).runCompaction",
		pebble + ".(*DB).deleteObsolete",
		pebble + ".(*cleanupManager)",
	}},
	{"engine: commit", false, []string{
		pebble + ".(*commitPipeline)",
		pebble + ".(*Batch)",
		pebble + ".(*memTable)",
		pebble + ".(*DB).Apply",
		pebble + ".(*DB).commit",
		pebble + "/internal/arenaskl.(*Skiplist)",
	}},
	{"engine: reads", false, []string{
		pebble + ".(*DB).Get",
		pebble + ".(*Iterator)",
		pebble + ".(*DB).NewIter",
	}},
}
