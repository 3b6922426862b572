package config_test

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/tools/txtar"

	"github.com/posthouse/posthouse/internal/config"
)

// FuzzParse: no file ends the program; what is wrong is told on one line each; and
// what is right is shown as a file that says the same.
func FuzzParse(f *testing.F) {
	for _, name := range config.Examples() {
		text, _ := config.Example(name)
		f.Add(text)
	}
	if sheet, err := txtar.ParseFile(problemsFile); err == nil {
		for _, file := range sheet.Files {
			f.Add(string(file.Data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse("/etc/main.hcl", []byte(text), config.Options{})
		if err != nil {
			for _, p := range err.(config.Problems) {
				if strings.ContainsFunc(p.Error()+strings.ReplaceAll(p.Excerpt(), "\n", ""), unicode.IsControl) {
					t.Fatalf("%q", p.Error())
				}
			}
			return
		}
		shown := show(t, c)
		again, err := config.Parse("/etc/main.hcl", []byte(shown), config.Options{})
		if err != nil {
			t.Fatalf("%v\n%s", err, shown)
		}
		if withoutOrigins(shown) != withoutOrigins(show(t, again)) {
			t.Fatalf("shown as\n%s\nand then as\n%s", shown, show(t, again))
		}
	})
}
