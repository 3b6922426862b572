package find

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/posthouse/posthouse/internal/mail"
)

// A chapter's file has blocks of terms in order, a table of the blocks, the IDs of the
// messages by number, and a tail of fixed length. Each part ends with its sum (CRC-32C,
// 4 octets). Numbers are little-endian in the tail, and else unsigned varints.
//
//	block   for each term: octets shared with the one before it in the block, octets of
//	        the rest, the rest, how many messages, and how far each number is from the last
//	table   for each block: octets of its first term, the term, where it begins
//	ids     12 octets each
//	tail    "phfind01", after, last, where the table begins, where the IDs begin, messages
//
// What is read may be torn or damaged: then it says errDamaged, and the chapter is made
// anew of the journal.
const (
	magic     = "phfind01"
	tailSize  = 8 + 5*8 + sumSize
	sumSize   = 4
	blockSize = 4 << 10
	// maxPart bounds what is read of a file at once. A chapter is far smaller.
	maxPart = 256 << 20
)

var errDamaged = errors.New("the chapter is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unsum takes the sum off a part, if it is right.
func unsum(b []byte) ([]byte, error) {
	n := len(b) - sumSize
	if n < 0 || crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, errDamaged
	}
	return b[:n], nil
}

// print is a draft as its file.
func (d *draft) print() []byte {
	keys := slices.Sorted(maps.Keys(d.terms))
	var out, table, block []byte
	last := ""
	end := func() {
		if len(block) > 0 {
			out = append(out, sum(block)...)
			block, last = block[:0], ""
		}
	}
	for _, key := range keys {
		if len(block) == 0 {
			table = append(binary.AppendUvarint(table, uint64(len(key))), key...)
			table = binary.AppendUvarint(table, uint64(len(out)))
		}
		block = appendTerm(block, last, key, inOrder(slices.Clone(d.list(key))))
		if last = key; len(block) >= blockSize {
			end()
		}
	}
	end()
	tail := []byte(magic)
	tail = binary.LittleEndian.AppendUint64(tail, d.after)
	tail = binary.LittleEndian.AppendUint64(tail, d.last)
	tail = binary.LittleEndian.AppendUint64(tail, uint64(len(out)))
	out = append(out, sum(table)...)
	tail = binary.LittleEndian.AppendUint64(tail, uint64(len(out)))
	tail = binary.LittleEndian.AppendUint64(tail, uint64(len(d.ids)))
	var ids []byte
	for i := range d.ids {
		ids = append(ids, d.ids[i][:]...)
	}
	out = append(out, sum(ids)...)
	return append(out, sum(tail)...)
}

func appendTerm(b []byte, last, key string, list []number) []byte {
	shared := 0
	for shared < min(len(last), len(key)) && last[shared] == key[shared] {
		shared++
	}
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(key)-shared))
	b = append(b, key[shared:]...)
	b = binary.AppendUvarint(b, uint64(len(list)))
	var before number
	for _, n := range list {
		b = binary.AppendUvarint(b, uint64(n-before))
		before = n
	}
	return b
}

// file is a chapter that is finished.
type file struct {
	path        string
	after, last uint64
	table, ids  int64 // where they begin
	end         int64 // where the tail does
	count       int
	marks       atomic.Pointer[[]mark] // the table, once it was read: some 10 KB
}

// openFile reads the tail of a chapter's file.
func openFile(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	c := &file{path: path, end: info.Size() - tailSize}
	if !info.Mode().IsRegular() || c.end < 0 {
		return nil, errDamaged
	}
	tail, err := part(f, c.end, info.Size())
	if err != nil || string(tail[:len(magic)]) != magic {
		return nil, errors.Join(err, errDamaged)
	}
	field := func(i int) uint64 { return binary.LittleEndian.Uint64(tail[len(magic)+8*i:]) }
	c.after, c.last = field(0), field(1)
	c.table, c.ids, c.count = int64(field(2)), int64(field(3)), int(field(4))
	if c.table < 0 || c.ids < c.table || c.ids > c.end || c.count < 0 || c.count > maxMessages ||
		c.end-c.ids != int64(c.count*len(mail.ID{})+sumSize) || c.last < c.after {
		return nil, errDamaged
	}
	return c, nil
}

// part reads a part that ends before an offset, and takes off its sum.
func part(f io.ReaderAt, from, to int64) ([]byte, error) {
	if from < 0 || to < from || to-from > maxPart {
		return nil, errDamaged
	}
	b := make([]byte, to-from)
	if _, err := f.ReadAt(b, from); err != nil {
		return nil, err
	}
	return unsum(b)
}

func (c *file) stretch() (after, last uint64) { return c.after, c.last }
func (c *file) messages() int                 { return c.count }

// opened is a chapter's file while it is searched.
type opened struct {
	*file
	f     *os.File
	table []mark
	block []byte // that was read last
	at    int64  // where it begins; -1: none was
	names []byte // the IDs, once they were asked for
}

// mark is a block: its first term, and where it begins and ends.
type mark struct {
	first      string
	begin, end int64
}

func (c *file) open() (*opened, error) {
	f, err := os.Open(c.path)
	if err != nil {
		return nil, err
	}
	o := &opened{file: c, f: f, at: -1}
	if marks := c.marks.Load(); marks != nil {
		o.table = *marks
		return o, nil
	}
	table, err := part(f, c.table, c.ids)
	if err == nil {
		o.table, err = readTable(table, c.table)
		c.marks.Store(&o.table)
	}
	if err != nil {
		c.marks.Store(nil)
		f.Close()
		return nil, fmt.Errorf("%s: %w", c.path, err)
	}
	return o, nil
}

func (o *opened) close() { o.f.Close() }

func readTable(b []byte, end int64) ([]mark, error) {
	text := string(b) // that the terms are parts of
	r := reader{b: b}
	var table []mark
	for len(r.b) > 0 && !r.bad {
		n := r.uint(uint64(len(r.b)))
		from := len(text) - len(r.b)
		r.skip(n)
		begin := int64(r.uint(uint64(end)))
		if r.bad {
			break
		}
		if k := len(table); k > 0 {
			if table[k-1].end = begin; begin <= table[k-1].begin {
				return nil, errDamaged
			}
		}
		table = append(table, mark{text[from : from+int(n)], begin, end})
	}
	if r.bad {
		return nil, errDamaged
	}
	return table, nil
}

// find implements [chapter].
func (o *opened) find(t term) ([]number, error) {
	from := t.from()
	i, exact := slices.BinarySearchFunc(o.table, from, func(m mark, key string) int { return strings.Compare(m.first, key) })
	if !exact && i > 0 {
		i--
	}
	var found []number
	for ; i < len(o.table); i++ {
		if past(from, o.table[i].first) {
			break
		}
		block, err := o.read(&o.table[i])
		if err != nil {
			return nil, err
		}
		var over bool
		if found, over, err = scan(block, &t, found); err != nil || over {
			return inOrder(found), err
		}
	}
	return inOrder(found), nil
}

func (o *opened) read(m *mark) ([]byte, error) {
	if o.at == m.begin {
		return o.block, nil
	}
	b, err := part(o.f, m.begin, m.end)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.path, err)
	}
	o.block, o.at = b, m.begin
	return b, nil
}

// scan adds the numbers that a block has for a term. It reports whether the terms
// behind the block come after it.
func scan(block []byte, t *term, found []number) (_ []number, over bool, err error) {
	var key []byte
	from := t.from()
	for r := (reader{b: block}); len(r.b) > 0; {
		shared := r.uint(uint64(len(key)))
		rest := r.take(r.uint(uint64(len(r.b))))
		count := r.uint(maxMessages)
		if r.bad {
			return nil, false, errDamaged
		}
		key = append(key[:shared], rest...)
		if past(from, key) {
			return found, true, nil
		}
		hit := fits(t, key)
		before := uint64(0)
		for range count {
			before += r.uint(maxMessages)
			if hit {
				found = append(found, number(before))
			}
		}
		if r.bad || before >= maxMessages {
			return nil, false, errDamaged
		}
	}
	return found, false, nil
}

// message implements [chapter].
func (o *opened) message(n number) (id mail.ID, err error) {
	if o.names == nil {
		if o.names, err = part(o.f, o.ids, o.end); err != nil {
			return id, fmt.Errorf("%s: %w", o.path, err)
		}
	}
	at := int(n) * len(id)
	if at+len(id) > len(o.names) {
		return id, fmt.Errorf("%s: %w", o.path, errDamaged)
	}
	return mail.ID(o.names[at:]), nil
}

// reader reads the parts of a file. After the first that cannot be, it is bad, and
// returns nothing.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint(most uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > most || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) || r.bad {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) skip(n uint64) { r.take(n) }
