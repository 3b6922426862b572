//go:build !linux

package maildrop

import (
	"errors"
	"os"
)

// syncAround is for systems that cannot be asked to sync one file system and wait:
// nothing is promised there.
func syncAround(*os.File) error {
	return errors.New("the folder cannot be read, and so its names cannot be made safe")
}
