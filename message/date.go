package message

import "time"

// dateLayout is the date-time of RFC 5322, 3.3, without its obsolete forms.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 -0700"

// FormatDate prints t as RFC 5322, 3.3 wants it, in t's own zone:
// "Tue, 01 Jul 2025 09:30:00 +0800". The length is always 31 bytes for years
// of four digits.
func FormatDate(t time.Time) string {
	var room [len(dateLayout) + 8]byte
	return string(AppendDate(room[:0], t))
}

// AppendDate appends what [FormatDate] returns to b. It allocates only if b
// has no room for 31 bytes.
func AppendDate(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, dateLayout)
	}
	b = append(append(b, t.Weekday().String()[:3]...), ',', ' ')
	b = append(appendTwo(b, day), ' ')
	b = append(append(b, month.String()[:3]...), ' ')
	b = append(appendTwo(appendTwo(b, year/100), year%100), ' ')
	hour, minute, second := t.Clock()
	b = append(appendTwo(b, hour), ':')
	b = append(appendTwo(b, minute), ':')
	b = append(appendTwo(b, second), ' ')
	return appendZone(b, t)
}

// appendZone prints the minutes between t's zone and UTC as "+0800".
func appendZone(b []byte, t time.Time) []byte {
	_, east := t.Zone()
	sign := byte('+')
	if east /= 60; east < 0 {
		sign, east = '-', -east
	}
	return appendTwo(appendTwo(append(b, sign), east/60), east%60)
}

// appendTwo prints a number from 0 to 99.
func appendTwo(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now()
	}
	return t
}
