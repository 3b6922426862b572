package budget

import "slices"

const (
	ours   = "github.com/posthouse/posthouse/"
	pebble = "github.com/cockroachdb/pebble/v2"
)

// Posthouse returns the rules for the program of this project.
func Posthouse() []Rule {
	return slices.Concat(
		// What the system does for us.
		service("network",
			"net.(*",
			"internal/poll.(*FD).Accept"),
		service("sync",
			"internal/poll.(*FD).Fsync",
			"syscall.Fdatasync",
			"golang.org/x/sys/unix.Fdatasync",
			"golang.org/x/sys/unix.SyncFileRange",
			"golang.org/x/sys/unix.Fsync"),
		// What the Go runtime does for us.
		part("garbage collection",
			"runtime.gcBgMarkWorker",
			"runtime.gcAssistAlloc",
			"runtime.gcStart",
			"runtime.gcDrain",
			"runtime.wbBufFlush",
			"runtime.gcWriteBarrier",
			"runtime.bgsweep",
			"runtime.bgscavenge",
			"runtime.(*mspan).sweep"),
		service("allocation",
			"runtime.mallocgc",
			"runtime.growslice"),
		service("growing stacks", "runtime.newstack"),
		service("scheduling",
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
			"runtime.gdestroy"),
		// What we do.
		part("SMTP: words", ours+"smtp."),
		part("SMTP: server", ours+"smtp/smtpserver."),
		part("SMTP: client", ours+"smtp/smtpclient."),
		part("trace fields", ours+"message."),
		part("intake",
			ours+"internal/mail.",
			ours+"internal/intake."),
		part("directory", ours+"internal/directory"),
		part("spool", ours+"internal/spool"),
		part("", ours+"internal/spool/pebblespool.(*latch"), // stands between the engine and the disk
		part("index of the journal", ours+"internal/find"),
		part("journal", ours+"internal/event"),
		part("dispatch", ours+"internal/dispatch."),
		part("queue",
			ours+"internal/queue.",
			ours+"internal/route."),
		part("transport",
			ours+"internal/transport",
			ours+"internal/dns"),
		part("reports", ours+"internal/dsn"),
		part("daemon",
			ours+"internal/daemon.",
			ours+"internal/admin"),
		part("log",
			ours+"internal/cli/run.",
			"log/slog."),
		// What the engine of the spool does.
		part("engine: log (WAL)",
			pebble+"/record.",
			pebble+"/wal."),
		part("engine: flush, compaction",
			pebble+".(*DB).flush",
			pebble+".(*DB).compact",
			pebble+".(*DB).runCompaction",
			pebble+".(*DB).deleteObsolete",
			pebble+".(*cleanupManager)"),
		part("engine: commit",
			pebble+".(*commitPipeline)",
			pebble+".(*Batch)",
			pebble+".(*memTable)",
			pebble+".(*DB).Apply",
			pebble+".(*DB).commit",
			pebble+"/internal/arenaskl.(*Skiplist)"),
		part("engine: reads",
			pebble+".(*DB).Get",
			pebble+".(*Iterator)",
			pebble+".(*DB).NewIter"),
	)
}

func part(name string, prefixes ...string) (rules []Rule) {
	for _, prefix := range prefixes {
		rules = append(rules, Rule{Prefix: prefix, Part: name})
	}
	return rules
}

func service(name string, prefixes ...string) []Rule {
	rules := part(name, prefixes...)
	for i := range rules {
		rules[i].Service = true
	}
	return rules
}
