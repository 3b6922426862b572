package dkimkeys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/internal/plainfile"
	"github.com/posthouse/posthouse/senderauth"
)

// rsaBits is what RFC 8301, 3.2 recommends. A record of more does not fit into
// an answer over UDP beside others.
const rsaBits = 2048

// MakePair makes the two keys of a domain, of each algorithm one: all verify RSA, and
// not all Ed25519 (RFC 8463). Their selectors tell the algorithm and the day; neither
// is among the entries, nor a file yet. They are on the disk when it returns, and not
// in the index.
func MakePair(dir, domain string, now time.Time) ([]Key, error) {
	var pair []Key
	for _, alg := range []senderauth.Algorithm{senderauth.RSASHA256, senderauth.Ed25519SHA256} {
		k, err := makeOne(dir, domain, alg, now)
		if err != nil {
			return nil, err
		}
		pair = append(pair, k)
	}
	return pair, nil
}

// makeOne takes the first name of the day that is free.
func makeOne(dir, domain string, alg senderauth.Algorithm, now time.Time) (Key, error) {
	stem := "rsa-"
	if alg == senderauth.Ed25519SHA256 {
		stem = "ed25519-"
	}
	stem += now.UTC().Format("20060102")
	for n := range 26 {
		selector := stem
		if n > 0 {
			selector += string(rune('a' + n))
		}
		k, err := Make(dir, domain, selector, alg)
		if !errors.Is(err, fs.ErrExist) {
			return k, err
		}
	}
	return Key{}, fmt.Errorf("%s: all selectors of today are taken", filepath.Join(dir, domain, stem))
}

// Make makes a key, on the disk, with mode 0600, but not in the index. The error is
// [fs.ErrExist] if there is a file for that selector: it is never written again.
func Make(dir, domain, selector string, alg senderauth.Algorithm) (Key, error) {
	if err := CheckSelector(selector); err != nil {
		return Key{}, err
	}
	signer, err := generate(alg)
	if err != nil {
		return Key{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return Key{}, err
	}
	if err := makeFolders(dir, domain); err != nil {
		return Key{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return Key{domain, Entry{Selector: selector}, signer}, create(keyFile(dir, domain, selector), text)
}

func generate(alg senderauth.Algorithm) (crypto.Signer, error) {
	if alg == senderauth.Ed25519SHA256 {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return rsa.GenerateKey(rand.Reader, rsaBits)
}

// makeFolders makes the directory of a domain, whose name is that of one label or
// more and no way out of dir. They belong to whom the data directory does: a
// command that root gives makes keys that the daemon can read.
func makeFolders(dir, domain string) error {
	if domain == "" || domain[0] == '.' || filepath.Base(domain) != domain {
		return fmt.Errorf("%.70q is no name of a domain", domain)
	}
	for _, name := range []string{dir, filepath.Join(dir, domain)} {
		err := os.Mkdir(name, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = errors.Join(giveTo(name, filepath.Dir(name)), syncFolder(filepath.Dir(name)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// giveTo gives a file to the owner of another one, if we are root.
func giveTo(name, like string) error {
	info, err := os.Stat(like)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Lchown(name, int(s.Uid), int(s.Gid))
}

// create makes a file that was not there, and its name, durable.
func create(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), giveTo(name, filepath.Dir(name))); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return syncFolder(filepath.Dir(name))
}

func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Edit changes the index of a domain with change, whose error leaves it as it is;
// who else edits it waits meanwhile. When it returns without error, the change is on
// the disk, and the files of keys that the index does not name any more are gone.
func Edit(dir, domain string, change func([]Entry) ([]Entry, error)) error {
	if err := makeFolders(dir, domain); err != nil {
		return err
	}
	folder := filepath.Join(dir, domain)
	lock, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer lock.Close() // unlocks
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", folder, err)
	}
	before, err := readIndex(plainfile.Disk{}, dir, domain)
	if err != nil {
		return err
	}
	after, err := change(before)
	if err != nil {
		return err
	}
	if err := replaceIndex(folder, FormatIndex(after)); err != nil {
		return err
	}
	return removeFiles(dir, domain, before, after)
}

// replaceIndex puts a text in the place of the index, whole or not at all.
func replaceIndex(folder, text string) error {
	tmp, err := os.CreateTemp(folder, "."+indexName+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // of no effect once it has its name
	_, err = tmp.WriteString(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close(), giveTo(tmp.Name(), folder)); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), filepath.Join(folder, indexName)); err != nil {
		return err
	}
	return syncFolder(folder)
}

func removeFiles(dir, domain string, before, after []Entry) error {
	stays := map[string]bool{}
	for i := range after {
		stays[after[i].Selector] = true
	}
	for i := range before {
		if s := before[i].Selector; !stays[s] {
			if err := os.Remove(keyFile(dir, domain, s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// Domains returns the domains that have a directory for keys, sorted.
func Domains(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range all {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}
