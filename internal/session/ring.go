package session

import (
	"encoding/binary"
	"time"
)

// ring keeps the last lines of a session in one piece of memory: for each a head of
// headSize octets, and the line. When there is no room the oldest go, a quarter of the
// memory at a time. The zero value has no memory, and keeps nothing until it gets some.
type ring struct {
	buf   []byte
	first uint64 // number of the oldest line that is kept; they count from 0
	next  uint64 // number that the next one gets
	last  int    // where the newest is that was said, counted from 1; 0: none is kept
}

const (
	headSize = 2 + 1 + 8 // length, speaker, Unix nanoseconds
	// maxLine is how many octets of a line are kept. Commands may have 2,048 (RFC 5321,
	// 4.5.3.1, and parameters), and few have a hundred.
	maxLine = 1024
	// textMark is set in the speaker of what is no line, but a count of octets.
	textMark = 0x80
)

// add appends a line. It reports false if there is no room for it even when all others
// are gone; it then has its number all the same.
func (r *ring) add(at time.Time, from byte, line []byte) bool {
	line = line[:min(len(line), maxLine)]
	need := headSize + len(line)
	r.next++
	if need > cap(r.buf) {
		r.buf, r.first, r.last = r.buf[:0], r.next, 0
		return false
	}
	if len(r.buf)+need > cap(r.buf) {
		r.drop(max(need, cap(r.buf)/4))
	}
	if s := Speaker(from); s == Client || s == Server {
		r.last = len(r.buf) + 1
	}
	n := len(r.buf)
	r.buf = r.buf[:n+need]
	record := r.buf[n:]
	binary.BigEndian.PutUint16(record, uint16(len(line)))
	record[2] = from
	binary.BigEndian.PutUint64(record[3:], uint64(at.UnixNano()))
	copy(record[headSize:], line)
	return true
}

// drop forgets the oldest lines, of so many octets at least or all.
func (r *ring) drop(octets int) {
	n := 0
	for n < len(r.buf) && cap(r.buf)-len(r.buf)+n < octets {
		n += headSize + int(binary.BigEndian.Uint16(r.buf[n:]))
		r.first++
	}
	r.buf = r.buf[:copy(r.buf, r.buf[n:])]
	r.last = max(0, r.last-n)
}

// grow gives the ring more memory, of which the old is given back.
func (r *ring) grow(memory []byte) (old []byte) {
	old = r.buf
	r.buf = append(memory[:0], r.buf...)
	return old
}

// lines appends to list what is kept, from a number on. If older lines were asked for,
// the first one says how many are missing.
func (r *ring) lines(list []Line, from uint64) []Line {
	if from < r.first {
		list = append(list, Line{From: House, Missed: int64(r.first - from)})
	}
	number := r.first
	for n := 0; n < len(r.buf); number++ {
		size := headSize + int(binary.BigEndian.Uint16(r.buf[n:]))
		if number >= from {
			list = append(list, lineOf(r.buf[n:n+size]))
		}
		n += size
	}
	return list
}

// newest is the last line that was said; the zero Line if it is not kept.
func (r *ring) newest() Line {
	if r.last == 0 {
		return Line{}
	}
	return lineOf(r.buf[r.last-1:])
}

func lineOf(record []byte) Line {
	size := int(binary.BigEndian.Uint16(record))
	text := record[headSize : headSize+size]
	l := Line{
		At:   time.Unix(0, int64(binary.BigEndian.Uint64(record[3:]))),
		From: Speaker(record[2] &^ textMark),
	}
	if record[2]&textMark != 0 {
		l.Octets = int64(binary.BigEndian.Uint64(text))
	} else {
		l.Text = string(text)
	}
	return l
}
