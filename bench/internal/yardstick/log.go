package yardstick

import (
	"encoding/binary"
	"os"
	"sync"
	"syscall"
)

// letter is one message.
type letter struct {
	record []byte        // its length, two lines of envelope, and the text as it came
	text   int           // where the text begins
	kept   chan struct{} // is sent to when the record is on the disk; nil: nobody waits
}

// lengthOctets are those before each record, big-endian.
const lengthOctets = 4

// log is one file that grows.
type log struct {
	file    *os.File
	waiting chan *letter
	letters sync.Pool
}

func newLog(f *os.File) *log {
	l := &log{file: f, waiting: make(chan *letter, 4096)}
	l.letters.New = func() any { return &letter{kept: make(chan struct{}, 1)} }
	return l
}

// done is the record of a letter that was handed on.
var done = []byte{0, 0, 0, 0}

// keep writes what waits with one call and one sync, again and again, until that fails.
func (l *log) keep() error {
	var batch []*letter
	var octets []byte
	for first := range l.waiting {
		batch, octets = batch[:0], octets[:0]
		wanted := false
		for m := first; m != nil; m = l.next(len(octets)) {
			octets = append(octets, m.record...)
			if m.kept != nil {
				batch, wanted = append(batch, m), true
			}
		}
		if _, err := l.file.Write(octets); err != nil {
			return err
		}
		if !wanted {
			continue // the next sync carries it
		}
		if err := syscall.Fdatasync(int(l.file.Fd())); err != nil {
			return err
		}
		for _, m := range batch {
			m.kept <- struct{}{}
		}
	}
	return nil
}

// next is another one that waits, if it may go with so much.
func (l *log) next(octets int) *letter {
	if octets > 8<<20 {
		return nil
	}
	select {
	case m := <-l.waiting:
		return m
	default:
		return nil
	}
}

// add returns when the letter is on the disk.
func (l *log) add(m *letter) {
	binary.BigEndian.PutUint32(m.record, uint32(len(m.record)-lengthOctets))
	l.waiting <- m
	<-m.kept
}
