package sendmail

import (
	"strings"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
)

// mode is what the command does.
type mode byte

const (
	deliver mode = 'm' // -bm
	session mode = 's' // -bs: SMTP on the standard streams
	verify  mode = 'v' // -bv
	queue   mode = 'p' // -bp
	aliases mode = 'i' // -bi
	retry   mode = 'q' // -q
)

// options are the command line.
type options struct {
	mode       mode
	config     string // -C, --config
	data       string // --data
	json       bool   // --json, of -bp and -bv
	help       bool   // --help
	verbose    bool   // -v
	extract    bool   // -t
	dots       bool   // -i: a line that is a dot does not end the text
	from       string // -f, -r
	fromGiven  bool
	name       string // -F
	body       smtp.Body
	notify     smtp.Notify
	returns    smtp.Return
	envID      string
	filter     string // of -q: what is tried again; "": all
	recipients []string
}

// Options by their letter. Those in idle are understood for the sake of old callers
// and do nothing here.
const (
	withValue  = "ABCFLNORVXbfhopr"
	maybeValue = "dq" // only if it is attached
	withoutAny = "GIUcimnstv"
	idle       = "AGLOUXcdhmnops"
)

// readOptions reads a command line as getopt does: options may be joined, their values
// may be attached, and the first word that is no option ends them, so that an
// address cannot become one.
func readOptions(args []string) (*options, error) {
	o := &options{mode: deliver}
	for len(args) > 0 {
		arg := args[0]
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		args = args[1:]
		if arg == "--" {
			break
		}
		var err error
		if strings.HasPrefix(arg, "--") {
			args, err = o.long(arg[2:], args)
		} else {
			args, err = o.short(arg[1:], args)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			return nil, cli.Fail(cli.Usage, "%q comes behind a recipient (options come first)", a)
		}
	}
	o.recipients = args
	return o, nil
}

// long reads one of our own options. It returns the arguments that are left.
func (o *options) long(word string, rest []string) ([]string, error) {
	name, value, given := strings.Cut(word, "=")
	switch name {
	case "json":
		o.json = true
		return rest, nil
	case "help":
		o.help = true
		return rest, nil
	case "config", "data":
		if !given {
			if len(rest) == 0 {
				return nil, cli.Fail(cli.Usage, "--%s needs a value", name)
			}
			value, rest = rest[0], rest[1:]
		}
		if name == "config" {
			o.config = value
		} else {
			o.data = value
		}
		return rest, nil
	}
	return nil, unknown("--" + name)
}

func unknown(option string) error {
	return cli.Fail(cli.Usage, "there is no option %q (posthouse sendmail --help tells which there are)", option)
}

// short reads the letters of one argument.
func (o *options) short(letters string, rest []string) ([]string, error) {
	for letters != "" {
		c := letters[0]
		letters = letters[1:]
		switch {
		case strings.IndexByte(withoutAny, c) >= 0:
			o.flag(c)
		case strings.IndexByte(maybeValue, c) >= 0:
			return rest, o.value(c, letters)
		case strings.IndexByte(withValue, c) < 0:
			return nil, unknown("-" + string(rune(c)))
		case letters != "":
			return rest, o.value(c, letters)
		case len(rest) == 0:
			return nil, cli.Fail(cli.Usage, "-%c needs a value", c)
		default:
			return rest[1:], o.value(c, rest[0])
		}
	}
	return rest, nil
}

func (o *options) flag(c byte) {
	switch c {
	case 't':
		o.extract = true
	case 'i':
		o.dots = true
	case 'v':
		o.verbose = true
	case 'I':
		o.mode = aliases
	}
}

func (o *options) value(c byte, v string) error {
	switch c {
	case 'C':
		o.config = v
	case 'F':
		o.name = v
	case 'f', 'r':
		o.from, o.fromGiven = v, true
	case 'V':
		o.envID = v
	case 'o':
		o.dots = o.dots || v == "i"
	case 'b':
		return o.setMode(v)
	case 'q':
		return o.setRetry(v)
	case 'B':
		return o.setBody(v)
	case 'N':
		return o.setNotify(v)
	case 'R':
		return o.setReturn(v)
	}
	return nil
}

func (o *options) setMode(v string) error {
	switch v {
	case "m", "s", "v", "p", "i":
		o.mode = mode(v[0])
		return nil
	case "d", "l", "D":
		return cli.Fail(cli.Usage, "-b%s does not start a daemon (posthouse run --config FILE does)", v)
	}
	return unknown("-b" + v)
}

// setRetry reads what stands behind -q: nothing, or I, R or S and what an ID, a
// recipient or a sender contains.
func (o *options) setRetry(v string) error {
	o.mode = retry
	words := map[byte]string{'I': "id:", 'R': "to:*", 'S': "from:*"}
	switch {
	case v == "":
		return nil
	case words[v[0]] == "" || len(v) == 1 || strings.ContainsAny(v, " \t\"*"):
		return cli.Fail(cli.Usage, "-q%s is not understood (-q tries all again; the daemon itself knows when)", v)
	}
	o.filter = words[v[0]] + v[1:]
	if v[0] != 'I' {
		o.filter += "*"
	}
	return nil
}

func (o *options) setBody(v string) error {
	switch b := smtp.Body(strings.ToUpper(v)); b {
	case smtp.Body7Bit, smtp.Body8Bit, smtp.BodyBinary:
		o.body = b
		return nil
	}
	return cli.Fail(cli.Usage, "-B %s is not 7BIT, 8BITMIME or BINARYMIME", v)
}

func (o *options) setNotify(v string) error {
	words := map[string]smtp.Notify{
		"never": smtp.NotifyNever, "success": smtp.NotifySuccess, "failure": smtp.NotifyFailure, "delay": smtp.NotifyDelay,
	}
	o.notify = 0
	for word := range strings.SplitSeq(v, ",") {
		n := words[strings.ToLower(strings.TrimSpace(word))]
		if o.notify |= n; n == 0 || o.notify&smtp.NotifyNever != 0 && o.notify != smtp.NotifyNever {
			return cli.Fail(cli.Usage, "-N %s is neither \"never\" nor some of success, failure and delay", v)
		}
	}
	return nil
}

func (o *options) setReturn(v string) error {
	switch strings.ToLower(v) {
	case "full":
		o.returns = smtp.ReturnFull
	case "hdrs":
		o.returns = smtp.ReturnHeaders
	default:
		return cli.Fail(cli.Usage, "-R %s is neither full nor hdrs", v)
	}
	return nil
}
