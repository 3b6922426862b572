package filedir

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/plainfile"
)

// Bounds on what is read in all. A directory that needs more is no matter of
// files.
const (
	maxFile  = 16 << 20  // octets of a file
	maxTotal = 64 << 20  // octets of all
	maxFiles = 1000      // files
	maxWords = 2_000_000 // names and targets
)

// sources reads files, within the bounds.
type sources struct {
	*problems
	open          plainfile.Opener
	files, octets int
	words         int
	failed        bool // a file could not be read
}

// read reads a file. What is wrong is told at the place that names the file.
func (s *sources) read(ctx context.Context, from File, f form) []alias {
	file, err := s.open.Open(from.Name)
	return s.readFile(ctx, from, f, file, err)
}

// readIn reads a file below one of the directories. The name is a full path; the
// directories may be relative to the working directory, as those of a configuration are.
func (s *sources) readIn(ctx context.Context, at mail.Origin, name string, dirs []string) []alias {
	for _, dir := range dirs {
		full, err := filepath.Abs(dir)
		if err != nil {
			continue
		}
		rel, err := filepath.Rel(full, name)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		file, err := s.open.OpenIn(dir, rel)
		return s.readFile(ctx, File{name, at}, listForm, file, err)
	}
	s.add(at, "%s is not below a directory from which files may be included (unix_include names them)", quotePath(name))
	return nil
}

func (s *sources) readFile(ctx context.Context, from File, f form, file fs.File, err error) []alias {
	var text []byte
	if err == nil {
		text, err = plainfile.Read(file, int64(min(maxFile, maxTotal-s.octets)))
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		var inner *fs.PathError
		if errors.As(err, &inner) {
			err = inner.Err // it names the file otherwise
		}
		s.add(from.Origin, "cannot read %s: %v", quotePath(from.Name), err)
		s.failed = true
		return nil
	}
	s.files++
	s.octets += len(text)
	all := parse(s.problems, from.Name, string(text), f)
	for _, a := range all {
		s.words += 1 + len(a.targets)
	}
	switch {
	case s.files > maxFiles:
		return s.tooMany(from, maxFiles, "files")
	case s.words > maxWords:
		return s.tooMany(from, maxWords, "names")
	}
	return all
}

func (s *sources) tooMany(from File, most int, what string) []alias {
	s.add(from.Origin, "there are more than %d %s", most, what)
	s.failed = true
	return nil
}
