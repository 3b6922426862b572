package letter

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // kinds that are read
	"image/jpeg"
	_ "image/png"
	"io"
)

// ThumbnailType is the media type of what [Part.Thumbnail] makes.
const ThumbnailType = "image/jpeg"

// Bounds of an image of which a small one is made. One of so many pixels takes up to
// 150 MiB while it is read: whoever asks for many of them asks for a few at a time.
const (
	maxImage  = 20 << 20 // octets
	maxPixels = 12 << 20
	maxBox    = 1024
	looks     = 8 // along a side of what becomes one pixel
)

// Thumbnail is a small picture of a part that is an image (PNG, JPEG or GIF, of which it is
// the first one): a JPEG on white, at most box pixels wide and high. How large an image says
// that it is, is looked at before any of it is read. The error is a sentence for people.
func (p *Part) Thumbnail(box int) ([]byte, error) {
	if p.Size() > maxImage {
		return nil, fmt.Errorf("it has more than %d octets", maxImage)
	}
	about, _, err := image.DecodeConfig(p.Open())
	switch {
	case err != nil:
		return nil, errors.New("it is no image of a known kind")
	case about.Width <= 0 || about.Height <= 0 || about.Width > maxPixels/about.Height:
		return nil, fmt.Errorf("it says that it is %d by %d pixels large", about.Width, about.Height)
	}
	whole, _, err := image.Decode(io.LimitReader(p.Open(), maxImage))
	if err != nil {
		return nil, errors.New("it is damaged")
	}
	if b := whole.Bounds(); b.Dx() <= 0 || b.Dy() <= 0 {
		return nil, errors.New("it is empty") // the first picture of a GIF may be
	}
	var small bytes.Buffer
	err = jpeg.Encode(&small, shrink(whole, min(max(box, 1), maxBox)), &jpeg.Options{Quality: 80})
	return small.Bytes(), err
}

// shrink makes an image fit into a box. It is never made larger.
func shrink(of image.Image, box int) *image.RGBA {
	b := of.Bounds()
	longest := max(b.Dx(), b.Dy())
	size := func(side int) int { return max(1, side*min(box, longest)/longest) }
	small := image.NewRGBA(image.Rect(0, 0, size(b.Dx()), size(b.Dy())))
	to := small.Bounds()
	for y := range to.Dy() {
		for x := range to.Dx() {
			small.SetRGBA(x, y, mean(of, image.Rect(
				b.Min.X+x*b.Dx()/to.Dx(), b.Min.Y+y*b.Dy()/to.Dy(), b.Min.X+(x+1)*b.Dx()/to.Dx(), b.Min.Y+(y+1)*b.Dy()/to.Dy())))
		}
	}
	return small
}

// mean is the colour of a piece of an image, on white.
func mean(of image.Image, piece image.Rectangle) color.RGBA {
	var r, g, b, n uint64
	across, down := max(1, piece.Dx()/looks), max(1, piece.Dy()/looks)
	for y := piece.Min.Y; y < piece.Max.Y; y += down {
		for x := piece.Min.X; x < piece.Max.X; x += across {
			pr, pg, pb, pa := of.At(x, y).RGBA()
			white := 0xffff - pa // what shines through
			r, g, b, n = r+uint64(pr+white), g+uint64(pg+white), b+uint64(pb+white), n+1
		}
	}
	n = max(n, 1) * 0x101
	return color.RGBA{uint8(r / n), uint8(g / n), uint8(b / n), 0xff}
}
