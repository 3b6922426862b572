package letter

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

// attached is a message that is an image.
func attached(octets []byte) *Part {
	return Parse([]byte("Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(octets) + "\r\n")).Root
}

func TestThumbnail(t *testing.T) {
	picture := image.NewPaletted(image.Rect(0, 0, 400, 100), color.Palette{color.Transparent, color.RGBA{0xff, 0, 0, 0xff}})
	for x := 200; x < 400; x++ {
		for y := range 100 {
			picture.SetColorIndex(x, y, 1)
		}
	}
	for kind, encode := range map[string]func(*bytes.Buffer) error{
		"PNG":  func(b *bytes.Buffer) error { return png.Encode(b, picture) },
		"GIF":  func(b *bytes.Buffer) error { return gif.Encode(b, picture, nil) },
		"JPEG": func(b *bytes.Buffer) error { return jpeg.Encode(b, picture, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		small, err := attached(b.Bytes()).Thumbnail(80)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		got, err := jpeg.Decode(bytes.NewReader(small))
		if err != nil || got.Bounds() != image.Rect(0, 0, 80, 20) {
			t.Fatalf("%s became %v, %v", kind, got.Bounds(), err)
		}
		if r, g, _, _ := got.At(70, 10).RGBA(); r>>8 < 0xf0 || g>>8 > 0x10 {
			t.Errorf("%s: what was red is %d, %d", kind, r>>8, g>>8)
		}
		if _, g, _, _ := got.At(10, 10).RGBA(); kind != "JPEG" && g>>8 < 0xf0 {
			t.Errorf("%s: what was nothing is not white but %d", kind, g>>8)
		}
	}
}

// TestThumbnailOfABomb: an image that says it is very large is not read at all.
func TestThumbnailOfABomb(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	bomb := b.Bytes()
	for _, size := range [][2]uint32{{60_000, 60_000}, {1 << 30, 1 << 30}, {5000, 5000}} {
		header := bomb[12:29] // IHDR and its data; behind it its checksum (RFC 2083, 4.1.1)
		binary.BigEndian.PutUint32(header[4:], size[0])
		binary.BigEndian.PutUint32(header[8:], size[1])
		binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(header))
		if _, err := attached(bomb).Thumbnail(80); err == nil {
			t.Errorf("%v pixels were read", size)
		}
	}
	for _, wrong := range []string{"", "GIF89a", "\x89PNG\r\n\x1a\n", "words"} {
		if _, err := attached([]byte(wrong)).Thumbnail(80); err == nil {
			t.Errorf("%q has a small picture", wrong)
		}
	}
}

func FuzzThumbnail(f *testing.F) {
	picture := image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black, color.White})
	var b bytes.Buffer
	for _, encode := range []func() error{
		func() error { return png.Encode(&b, picture) }, func() error { return gif.Encode(&b, picture, nil) }, func() error { return jpeg.Encode(&b, picture, nil) },
	} {
		b.Reset()
		if err := encode(); err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(b.Bytes()), 2)
	}
	f.Fuzz(func(t *testing.T, octets []byte, box int) {
		small, err := attached(octets).Thumbnail(box)
		if err != nil {
			return
		}
		about, err := jpeg.DecodeConfig(bytes.NewReader(small))
		if most := min(max(box, 1), maxBox); err != nil || about.Width > most || about.Height > most {
			t.Fatalf("a box of %d has %+v, %v", box, about, err)
		}
	})
}
