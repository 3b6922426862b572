//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// facts are those of the machine that the figures depend on.
type facts struct {
	CPU        string `json:"cpu"`
	CPUs       int    `json:"cpus"`
	MemoryMiB  int64  `json:"memory_mib"`
	Kernel     string `json:"kernel"`
	FileSystem string `json:"file_system"`
	Go         string `json:"go"`
	Load       string `json:"load_average"` // before the first round
}

func machine(dir string) facts {
	f := facts{
		CPU:        cpuName(readText("/proc/cpuinfo")),
		CPUs:       runtime.NumCPU(),
		Kernel:     readText("/proc/sys/kernel/osrelease"),
		FileSystem: fileSystem(readText("/proc/self/mounts"), dir),
		Go:         runtime.Version(),
		Load:       "unknown",
	}
	if fields := strings.Fields(readText("/proc/loadavg")); len(fields) > 0 {
		f.Load = fields[0]
	}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		f.MemoryMiB = int64(uint64(info.Totalram) * uint64(info.Unit) >> 20)
	}
	return f
}

func readText(path string) string {
	text, _ := os.ReadFile(path)
	return string(bytes.TrimSpace(text))
}

func cpuName(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimLeft(strings.TrimSpace(name), "\t: ")
		}
	}
	return runtime.GOARCH
}

// fileSystem finds the mount that dir lies below, in the lines of /proc/self/mounts.
func fileSystem(mounts, dir string) string {
	best, kind := -1, "unknown"
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line) // device, where, type, options
		if len(fields) < 4 {
			continue
		}
		where := strings.TrimSuffix(fields[1], "/")
		if (dir == where || strings.HasPrefix(dir, where+"/")) && len(where) >= best {
			best, kind = len(where), fields[2]+" ("+fields[3]+")"
		}
	}
	return kind
}

// String is what the head of the tables says.
func (f facts) String() string {
	return fmt.Sprintf("%s, %d CPUs, %d MiB; Linux %s; %s; %s; load average %s", f.CPU, f.CPUs, f.MemoryMiB, f.Kernel, f.FileSystem, f.Go, f.Load)
}
