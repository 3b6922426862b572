package admintest

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/mail"
)

var update = flag.Bool("update", false, "write what commands print into the scripts")

// Play carries out the commands in testdata/NAME.txt, each on a line that begins
// with "$ ", and holds what they print, errors and statuses included, against what
// stands below them. Lines that begin with "#" are for people. In a command {1} is
// the ID of the first message, and {1:8} its first eight letters. In what is
// printed IDs, times and the like are replaced by ones that are always the same.
func (h *House) Play(name string, command func() *cobra.Command) {
	h.T.Helper()
	file := name + ".txt"
	if !filepath.IsAbs(name) {
		file = filepath.Join("testdata", file)
	}
	script, err := os.ReadFile(file)
	h.must(err)
	var played strings.Builder
	for line := range strings.Lines(string(script)) {
		switch {
		case strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" && played.Len() == 0:
			played.WriteString(line)
		case strings.HasPrefix(line, "$ "):
			if played.Len() > 0 && !strings.HasSuffix(played.String(), "\n\n") && !endsInComment(played.String()) {
				played.WriteByte('\n')
			}
			played.WriteString(line + h.printed(strings.TrimSpace(line[2:]), command()))
		}
	}
	if *update {
		h.must(os.WriteFile(file, []byte(played.String()), 0o666))
		return
	}
	// Empty lines between commands, and before comments, are the writer's.
	if diff := cmp.Diff(noBlank(string(script)), noBlank(played.String())); diff != "" {
		h.T.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func endsInComment(s string) bool {
	s = strings.TrimSuffix(s, "\n")
	return strings.HasPrefix(s[strings.LastIndexByte(s, '\n')+1:], "#")
}

// noBlank leaves out the empty lines in front of commands and comments.
func noBlank(s string) string {
	for _, mark := range []string{"$ ", "#"} {
		s = strings.ReplaceAll(s, "\n\n"+mark, "\n"+mark)
	}
	return s
}

// printed carries out a command, and returns what it prints.
func (h *House) printed(line string, cmd *cobra.Command) string {
	root := &cobra.Command{Use: "posthouse", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(cmd)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetIn(strings.NewReader(""))
	root.SetArgs(words(h.named(line)))
	ctx, cancel := context.WithTimeout(h.T.Context(), 20*time.Second)
	defer cancel()
	run, err := root.ExecuteContextC(ctx)
	status, told := cli.StatusOf(err)
	if !told {
		status = cli.Usage
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintf(&out, "%s: %s\n", run.CommandPath(), cli.Printable(err.Error()))
	}
	if status != cli.OK {
		fmt.Fprintf(&out, "[%d]\n", status)
	}
	h.Quiet()
	return h.scrub(out.String())
}

// words takes a command line apart as a shell does, with single quotes.
func words(line string) []string {
	var all []string
	var word strings.Builder
	quoted, begun := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		all = append(all, word.String())
	}
	return all
}

var idName = regexp.MustCompile(`\{(\d+)(:\d+)?\}`)

// named puts IDs in the place of their numbers.
func (h *House) named(line string) string {
	return idName.ReplaceAllStringFunc(line, func(s string) string {
		number, length, _ := strings.Cut(strings.Trim(s, "{}"), ":")
		n, _ := strconv.Atoi(number)
		if n < 1 || n > len(h.ids) {
			h.T.Fatalf("%s: there are %d messages", line, len(h.ids))
		}
		id := h.ids[n-1].String()
		if k, err := strconv.Atoi(length); err == nil {
			id = id[:k]
		}
		return id
	})
}

var (
	idText    = regexp.MustCompile(`\b[0-9a-hjkmnp-tv-z]{20}\b`)
	timeJSON  = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"`)
	timeText  = regexp.MustCompile(`\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(\.\d+)?`)
	dayText   = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d$`)
	clockText = regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`)
	pid       = regexp.MustCompile(`(pid |"pid":)\d+`)
	took      = regexp.MustCompile(`"took_ms":\d+`)
)

// scrub replaces what is different each time.
func (h *House) scrub(s string) string {
	s = idText.ReplaceAllStringFunc(s, func(text string) string {
		id, err := mail.ParseID(text)
		if err != nil {
			return text
		}
		return fmt.Sprintf("%s%d", strings.Repeat("0", 19), h.numberOf(id))
	})
	for i, id := range h.ids { // shortened ones
		s = strings.ReplaceAll(s, id.String()[:8], fmt.Sprintf("{%d:8}", i+1))
	}
	s = strings.ReplaceAll(s, h.Socket, "/run/posthouse/control.sock")
	s = timeJSON.ReplaceAllString(s, `"TIME"`)
	s = timeText.ReplaceAllString(s, "YYYY-MM-DD${1}hh:mm:ss")
	s = dayText.ReplaceAllString(s, "YYYY-MM-DD")
	s = clockText.ReplaceAllString(s, "hh:mm:ss")
	s = pid.ReplaceAllString(s, "${1}1")
	return took.ReplaceAllString(s, `"took_ms":1`)
}

// numberOf counts messages from 1, in the order in which they became known.
func (h *House) numberOf(id mail.ID) int {
	for i := range h.ids {
		if h.ids[i] == id {
			return i + 1
		}
	}
	h.ids = append(h.ids, id)
	return len(h.ids)
}

// Run plays a script against a house with letters.
func Run(t *testing.T, name string, command func() *cobra.Command, letters ...Letter) {
	t.Helper()
	Open(t, letters...).Play(name, command)
}

// Away plays a script where no house answers.
func Away(t *testing.T, name string, command func() *cobra.Command) {
	t.Helper()
	h := &House{T: t, Socket: filepath.Join(t.TempDir(), "control.sock")}
	t.Setenv("POSTHOUSE_SOCKET", h.Socket)
	h.Play(name, command)
}
