package acme

import (
	"fmt"
	"os"
)

// checkMode refuses a directory of keys that others may look into. That it cannot be
// looked at is no error here: who uses it will say so.
func checkMode(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return nil
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", dir)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("the mode of %s is %04o, and it holds keys: let it be 0700", dir, mode)
	}
	return nil
}
