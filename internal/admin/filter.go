package admin

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// FilterHelp tells operators the words of a filter.
const FilterHelp = `A filter is words that must all hold; without one it is the whole queue.

  to:*@example.com    the recipient, final or as it was given; * is any text
  from:ann@*          the sender; from:<> is the null sender of reports
  dest:example.com    the destination under which it waits
  state:deferred      or fresh (never tried), or held
  is:active           on its way, or waiting its turn; is:waiting: not yet
  is:suspect          its next attempt may make a second copy
  age:>2h  age:<30m   since it arrived: s, m, h, d, w
  due:<10m            due for its next attempt within that time
  size:>1MB           of the message; also <, and kB, GB, KiB, MiB, GiB
  reply:4.7           the last reply begins so, or has the text
  subject:*invoice*   the subject
  login:ann           who logged in
  id:ID               one message; an ID alone means the same
  ann@example.com     an address alone means to:

Words with spaces in them stand in quotes: reply:"user unknown".`

// ParseFilter reads the words of a filter, as [FilterHelp] tells them. Ages count
// back from now. No word may be given twice.
func ParseFilter(s string, now time.Time) (spool.Filter, error) {
	var f spool.Filter
	if len(s) > maxFilter {
		return f, fmt.Errorf("the filter has more than %d octets", maxFilter)
	}
	words, err := splitFilter(s)
	if err != nil {
		return f, err
	}
	seen := map[string]bool{}
	for _, w := range words {
		if w.key == "" {
			w = alone(w)
		}
		if err := w.apply(&f, now); err != nil {
			return f, err
		}
		once := w.bound()
		if seen[once] {
			return f, fmt.Errorf("%s: is given twice", w.key)
		}
		seen[once] = true
	}
	return f, nil
}

const maxFilter = 8 << 10

// filterWord is "key:value"; the key is "" if there is none.
type filterWord struct{ key, value string }

// bound names what a word sets: sizes and times of arrival have two bounds, and
// an age is a time of arrival turned around.
func (w *filterWord) bound() string {
	switch {
	case w.key == "size" || w.key == "arrived":
		return w.key + w.value[:1]
	case w.key == "age" && w.value[0] == '>':
		return "arrived<"
	case w.key == "age":
		return "arrived>"
	}
	return w.key
}

// splitFilter takes a filter apart at spaces that are not in quotes. Within them
// a backslash quotes what follows.
func splitFilter(s string) ([]filterWord, error) {
	var words []filterWord
	for rest := strings.TrimLeft(s, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		var w filterWord
		if i := strings.IndexAny(rest, ": \t\"@"); i > 0 && rest[i] == ':' && slices.Contains(filterKeys, strings.ToLower(rest[:i])) {
			w.key, rest = strings.ToLower(rest[:i]), rest[i+1:]
		}
		var err error
		if w.value, rest, err = cutValue(rest); err != nil {
			return nil, err
		}
		words = append(words, w)
	}
	return words, nil
}

func cutValue(s string) (value, rest string, err error) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case !quoted && (c == ' ' || c == '\t'):
			return b.String(), s[i:], nil
		case c < ' ' || c == 0x7f:
			return "", "", fmt.Errorf("the filter has a control character")
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", fmt.Errorf("the filter has an opening quote and no closing one")
	}
	return b.String(), "", nil
}

// filterKeys in the order in which they are printed.
var filterKeys = []string{"id", "from", "to", "dest", "state", "is", "age", "arrived", "due", "size", "reply", "subject", "login"}

// alone gives a word without key the key that it means.
func alone(w filterWord) filterWord {
	if _, err := mail.ParseID(w.value); err == nil {
		w.key = "id"
	} else if strings.Contains(w.value, "@") {
		w.key = "to"
	}
	return w
}

func (w *filterWord) apply(f *spool.Filter, now time.Time) error {
	if w.key != "" && w.value == "" {
		return fmt.Errorf("%s: is followed by nothing", w.key)
	}
	switch w.key {
	case "id":
		return w.applyID(f)
	case "from":
		f.From = w.value
	case "to":
		f.To = w.value
	case "dest":
		f.Destination = w.value
	case "reply":
		f.Reply = w.value
	case "subject":
		f.Subject = w.value
	case "login":
		f.Login = w.value
	case "state":
		return w.applyState(f)
	case "is":
		return w.applyIs(f)
	case "age", "due", "arrived":
		return w.applyTime(f, now)
	case "size":
		return w.applySize(f)
	default:
		return fmt.Errorf("%q is no word of a filter, such as to:ADDRESS, state:held or age:>2h", w.value)
	}
	return nil
}

// applyID reads an ID, and behind a slash the index of one of its recipients.
func (w *filterWord) applyID(f *spool.Filter) (err error) {
	id, index, one := strings.Cut(w.value, "/")
	if f.ID, err = mail.ParseID(id); err != nil {
		return err
	}
	if f.ID.IsZero() {
		return fmt.Errorf("%s names no message", id)
	}
	if one {
		n, err := strconv.Atoi(index)
		if err != nil || n < 0 || strconv.Itoa(n) != index {
			return fmt.Errorf("%q is no recipient: they are counted from 0", w.value)
		}
		f.Recipient = &n
	}
	return nil
}

func stateWord(p spool.Place) string {
	if p == spool.Waiting {
		return "deferred"
	}
	return p.String()
}

func (w *filterWord) applyState(f *spool.Filter) error {
	for _, p := range []spool.Place{spool.Fresh, spool.Waiting, spool.Held} {
		if strings.EqualFold(w.value, stateWord(p)) {
			f.Place = p
			return nil
		}
	}
	return fmt.Errorf("state:%s is none of fresh, deferred, held", w.value)
}

func (w *filterWord) applyIs(f *spool.Filter) error {
	yes, no := true, false
	for _, v := range strings.Split(strings.ToLower(w.value), ",") {
		switch v {
		case "active":
			f.Leased = &yes
		case "waiting":
			f.Leased = &no
		case "suspect":
			f.Suspect = true
		default:
			return fmt.Errorf("is:%s is none of active, waiting, suspect", w.value)
		}
	}
	return nil
}

func (w *filterWord) applyTime(f *spool.Filter, now time.Time) error {
	sign, text := w.value[0], w.value[1:]
	if sign != '<' && sign != '>' {
		return fmt.Errorf("%s:%s says neither < nor >, as in %s:>2h", w.key, w.value, w.key)
	}
	at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
	if w.key == "age" || w.key == "due" && err != nil {
		var d time.Duration
		if d, err = parseAge(text); w.key == "age" {
			d = -d
		}
		at = now.Add(d)
	}
	at = at.UTC()
	switch {
	case err != nil && w.key == "arrived":
		return fmt.Errorf("arrived:%s is no time such as >2026-11-23T08:00:00Z", w.value)
	case err != nil:
		return fmt.Errorf("%s:%s: %w", w.key, w.value, err)
	case at.Year() < 1970 || at.Year() > 2200:
		return fmt.Errorf("%s:%s is too far away", w.key, w.value)
	case w.key == "due" && sign == '>':
		return fmt.Errorf("due:%s: it can only be asked what is due within a time, due:<%s", w.value, text)
	case w.key == "due":
		f.DueBefore = at
	case (w.key == "age") == (sign == '>'):
		f.ArrivedBefore = at
	default:
		f.ArrivedAfter = at
	}
	return nil
}

type ageUnit struct {
	unit string
	is   time.Duration
}

// ages are the units of an age, the longest first.
var ages = []ageUnit{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}

// parseAge reads "90s", "2h30m", "3d", "1w".
func parseAge(s string) (time.Duration, error) {
	if s == "" {
		return 0, errors.New("a time such as 2h is missing")
	}
	var sum time.Duration
	for rest := s; rest != ""; rest = rest[1:] {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		rest = rest[digits:]
		i := slices.IndexFunc(ages, func(a ageUnit) bool { return strings.HasPrefix(rest, a.unit) })
		switch {
		case err != nil || i < 0:
			return 0, fmt.Errorf("%q is no time such as 90s, 30m, 2h, 3d or 1w", s)
		case n > int64((math.MaxInt64-sum)/ages[i].is):
			return 0, fmt.Errorf("%q is too long", s)
		}
		sum += time.Duration(n) * ages[i].is
	}
	return sum, nil
}

// Short prints a time for people by its two greatest units, days at most: "3d4h",
// "2h30m", "45s". An age may be given in the same form.
func Short(d time.Duration) string {
	d = max(d, 0)
	for i, a := range ages {
		if d < a.is || a.unit == "w" {
			continue
		}
		s := fmt.Sprintf("%d%s", d/a.is, a.unit)
		if i+1 < len(ages) {
			if rest := d % a.is / ages[i+1].is; rest > 0 {
				s += fmt.Sprintf("%d%s", rest, ages[i+1].unit)
			}
		}
		return s
	}
	return "0s"
}

// sizes are the units of a size, the largest of each kind first.
var sizes = []struct {
	unit   string
	octets int64
}{{"gib", 1 << 30}, {"mib", 1 << 20}, {"kib", 1 << 10}, {"gb", 1e9}, {"mb", 1e6}, {"kb", 1e3}, {"g", 1e9}, {"m", 1e6}, {"k", 1e3}, {"b", 1}, {"", 1}}

// ParseSize reads "640", "10kB", "1.5MB", "2GiB", in any case.
func ParseSize(s string) (int64, error) {
	low := strings.ToLower(s)
	for _, u := range sizes {
		number, ok := strings.CutSuffix(low, u.unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n < 0 || n*float64(u.octets) > 1<<60 || strings.ContainsAny(number, "xpe_in") {
			break
		}
		return int64(n * float64(u.octets)), nil
	}
	return 0, fmt.Errorf("%q is no size such as 640, 10kB or 1.5MB", s)
}

func (w *filterWord) applySize(f *spool.Filter) error {
	sign, text := w.value[0], w.value[1:]
	n, err := ParseSize(text)
	switch {
	case sign != '<' && sign != '>':
		return fmt.Errorf("size:%s says neither < nor >, as in size:>1MB", w.value)
	case err != nil:
		return fmt.Errorf("size:%s: %w", w.value, err)
	case n == 0:
		return fmt.Errorf("size:%s: no message has less", w.value)
	case sign == '>':
		f.Larger = n
	default:
		f.Smaller = n
	}
	return nil
}

// PrintFilter prints a filter as [ParseFilter] reads it at any time: ages as the
// times that they are. "" is the whole queue.
func PrintFilter(f spool.Filter) string {
	var p filterPrinter
	if !f.ID.IsZero() {
		id := f.ID.String()
		if f.Recipient != nil {
			id += "/" + strconv.Itoa(*f.Recipient)
		}
		p.add("id", id)
	}
	p.add("from", f.From)
	p.add("to", f.To)
	p.add("dest", f.Destination)
	if f.Place != 0 {
		p.add("state", stateWord(f.Place))
	}
	p.add("is", isWords(&f))
	p.time("arrived", "<", f.ArrivedBefore)
	p.time("arrived", ">", f.ArrivedAfter)
	p.time("due", "<", f.DueBefore)
	p.size("<", f.Smaller)
	p.size(">", f.Larger)
	p.add("reply", f.Reply)
	p.add("subject", f.Subject)
	p.add("login", f.Login)
	return strings.Join(p.words, " ")
}

func isWords(f *spool.Filter) string {
	var is []string
	switch {
	case f.Leased == nil:
	case *f.Leased:
		is = append(is, "active")
	default:
		is = append(is, "waiting")
	}
	if f.Suspect {
		is = append(is, "suspect")
	}
	return strings.Join(is, ",")
}

type filterPrinter struct{ words []string }

func (p *filterPrinter) add(key, value string) {
	if value == "" {
		return
	}
	if strings.ContainsAny(value, " \t\"") {
		value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
	}
	p.words = append(p.words, key+":"+value)
}

func (p *filterPrinter) time(key, sign string, t time.Time) {
	if !t.IsZero() {
		p.add(key, sign+t.UTC().Format(time.RFC3339Nano))
	}
}

func (p *filterPrinter) size(sign string, n int64) {
	if n > 0 {
		p.add("size", sign+strconv.FormatInt(n, 10))
	}
}
