package dkimkeys

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/posthouse/posthouse/internal/plainfile"
	"github.com/posthouse/posthouse/senderauth"
)

// Folder is the name of the directory of all keys, in a data directory.
const Folder = "dkim"

// indexName is that of the index in the directory of a domain.
const indexName = "keys"

// Key is a key with its place in the index.
type Key struct {
	Domain string // A-labels, lower case
	Entry
	Signer crypto.Signer // RSA or Ed25519, of a length that RFC 8301 allows
}

// Algorithm is how it signs.
func (k *Key) Algorithm() senderauth.Algorithm {
	alg, _ := senderauth.AlgorithmOf(k.Signer.Public()) // it was looked at when the key was read
	return alg
}

// Record is the text to publish at [Key.Name].
func (k *Key) Record() string {
	text, _ := senderauth.FormatKey(k.Signer.Public()) // likewise
	return text
}

// Name is where the record is: SELECTOR._domainkey.DOMAIN.
func (k *Key) Name() string { return k.Selector + "._domainkey." + k.Domain }

// Read reads the keys of a domain, of all stages, in the order of the index; none if
// it has no index. Dir is the [Folder]. The errors name the file.
func Read(files plainfile.Opener, dir, domain string) ([]Key, error) {
	entries, err := readIndex(files, dir, domain)
	if err != nil {
		return nil, err
	}
	keys := make([]Key, len(entries))
	for i, e := range entries {
		signer, err := readKey(files, keyFile(dir, domain, e.Selector))
		if err != nil {
			return nil, err
		}
		keys[i] = Key{domain, e, signer}
	}
	return keys, nil
}

func readIndex(files plainfile.Opener, dir, domain string) ([]Entry, error) {
	name := filepath.Join(dir, domain, indexName)
	text, err := readFile(files, name, MaxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := ParseIndex(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

func keyFile(dir, domain, selector string) string {
	return filepath.Join(dir, domain, selector+".pem")
}

// maxKeyFile is more than a key of 4,096 bits needs.
const maxKeyFile = 16 << 10

func readKey(files plainfile.Opener, name string) (crypto.Signer, error) {
	text, err := readFile(files, name, maxKeyFile)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

func readFile(files plainfile.Opener, name string, most int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := plainfile.Read(f, most)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// parseKey reads a private key: PKCS #8, or the PKCS #1 that older programs wrote.
func parseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("there is no key in PEM form")
	}
	var key any
	var err error
	if block.Type == "RSA PRIVATE KEY" {
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	} else {
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, errors.New("there is no private key that can be read") // the reason may have parts of it
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	_, err = senderauth.AlgorithmOf(signer.Public())
	return signer, err
}
