package reload

import (
	"context"
	"errors"
	"testing"

	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/config"
)

func TestAConfigurationIsPutInPlace(t *testing.T) { admintest.Run(t, "good", Command) }

func TestWhatIsWrongIsTold(t *testing.T) {
	h := admintest.Open(t)
	h.Reload = func(context.Context) error {
		_, err := config.Parse("main.hcl", []byte("hostnam = \"mx.example.org\"\nlisten \"smtp\" {\n\taddress = \"0.0.0.0:25\"\n}\n"), config.Options{})
		return err
	}
	h.Play("wrong", Command)
}

func TestAReloadMayFailOtherwise(t *testing.T) {
	h := admintest.Open(t)
	h.Reload = func(context.Context) error { return errors.New("main.hcl: permission denied") }
	h.Play("failed", Command)
}
