package sendmail

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
)

// TestOptions: command lines as they are really written.
func TestOptions(t *testing.T) {
	to := func(s ...string) []string { return s }
	for args, want := range map[string]options{
		"":                                     {mode: deliver},
		"root":                                 {mode: deliver, recipients: to("root")},
		"-t":                                   {mode: deliver, extract: true},
		"-ti":                                  {mode: deliver, extract: true, dots: true},
		"-it -f ann":                           {mode: deliver, extract: true, dots: true, from: "ann", fromGiven: true},
		"-oi -oem -odb -fann bob carl":         {mode: deliver, dots: true, from: "ann", fromGiven: true, recipients: to("bob", "carl")},
		"-o i root":                            {mode: deliver, dots: true, recipients: to("root")},
		"-FCronDaemon -i -B8BITMIME -oem root": {mode: deliver, name: "CronDaemon", dots: true, body: smtp.Body8Bit, recipients: to("root")},
		"-r ann -f bob x":                      {mode: deliver, from: "bob", fromGiven: true, recipients: to("x")},
		"-Am -Ac -G -U -m -n -c -h 30 -L x -X log": {mode: deliver},
		"-O QueueDirectory=/x -p SMTP:x -d0.1 -bm": {mode: deliver},
		"-N failure,delay -R hdrs -V 7 x":          {mode: deliver, notify: smtp.NotifyFailure | smtp.NotifyDelay, returns: smtp.ReturnHeaders, envID: "7", recipients: to("x")},
		"-C main.hcl --data=dir --json -bp":        {mode: queue, config: "main.hcl", data: "dir", json: true},
		"--config main.hcl --data dir -bi":         {mode: aliases, config: "main.hcl", data: "dir"},
		"-bs -v":                                   {mode: session, verbose: true},
		"-bv x":                                    {mode: verify, recipients: to("x")},
		"-v -q":                                    {mode: retry, verbose: true},
		"-I":                                       {mode: aliases},
	} {
		o, err := readOptions(strings.Fields(args))
		if err != nil {
			t.Errorf("%q: %v", args, err)
			continue
		}
		if len(o.recipients) == 0 {
			o.recipients = nil
		}
		if diff := cmp.Diff(&want, o, cmp.AllowUnexported(options{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", args, diff)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for args, want := range map[string]string{
		"-k": `"-k"`, "-tk": `"-k"`, "-f": "needs a value", "--frob": `"--frob"`, "--config": "needs a value", "-bd": "posthouse run",
		"-bx": `"-bx"`, "-b": "needs a value", "-q15m": "-q15m", "-qR": "-qR", "-qR*": "-qR*", "-N often": "often", "-Nnever,delay": "never", "-R all": "all",
		"-B 9BIT": "9BIT", "bob -f ann": "options come first", "-- bob -f": "options come first", "- bob": "options come first",
	} {
		_, err := readOptions(strings.Fields(args))
		if status, _ := cli.StatusOf(err); status != cli.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v (status %d), want %q in it and status 64", args, err, status, want)
		}
	}
}
