package message

import "time"

// dateLayout is the date-time of RFC 5322, 3.3, without its obsolete forms.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 -0700"

// FormatDate prints t as RFC 5322, 3.3 wants it, in t's own zone:
// "Tue, 01 Jul 2025 09:30:00 +0800". The length is always 31 bytes for years
// of four digits.
func FormatDate(t time.Time) string { return t.Format(dateLayout) }

// AppendDate appends what [FormatDate] returns to b. It allocates only if b
// has no room for 31 bytes.
func AppendDate(b []byte, t time.Time) []byte { return t.AppendFormat(b, dateLayout) }

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now()
	}
	return t
}
