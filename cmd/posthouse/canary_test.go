package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// nowhere searches files for secrets, one a line in the first file; directories are
// searched with all that is below them.
func nowhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: nowhere CANARIES FILE...")
	}
	canaries := strings.Fields(ts.ReadFile(args[0]))
	if len(canaries) == 0 {
		ts.Fatalf("there is no canary in %s", args[0])
	}
	for _, name := range args[1:] {
		searched := 0
		ts.Check(filepath.WalkDir(ts.MkAbs(name), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			searched++
			for _, canary := range canaries {
				if found := sings(text, canary); found != "" {
					ts.Fatalf("%s holds the canary %s, as %s", path, canary, found)
				}
			}
			return nil
		}))
		if searched == 0 {
			ts.Fatalf("there is nothing to be searched in %s", name)
		}
	}
}

// sings returns the form in which a text holds a canary, "" if it does not.
func sings(text []byte, canary string) string {
	for _, form := range forms(canary) {
		if bytes.Contains(text, []byte(form)) {
			return form
		}
	}
	return ""
}

// forms are what programs make of a secret: base64 of it at each of the three places
// where it can stand among other octets, without the digits that its neighbours
// share; hexadecimal; the form of an address of the web.
func forms(canary string) []string {
	all := []string{canary, url.QueryEscape(canary), hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary)))}
	for before := range 3 {
		digits := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), canary...))
		all = append(all, digits[(before*8+5)/6:len(digits)-1])
	}
	return all
}
