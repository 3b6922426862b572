package memspool

import "slices"

// set is keys in order. What is taken from its front, and put at its end, costs nothing.
type set[K any] struct {
	keys    []K
	compare func(a, b K) int
}

func (s *set[K]) add(k K) {
	if n := len(s.keys); n == 0 || s.compare(s.keys[n-1], k) < 0 {
		s.keys = append(s.keys, k)
		return
	}
	if at, found := s.at(k); !found {
		s.keys = slices.Insert(s.keys, at, k)
	}
}

func (s *set[K]) remove(k K) {
	switch at, found := s.at(k); {
	case !found:
	case at == 0:
		s.keys = s.keys[1:]
	default:
		s.keys = slices.Delete(s.keys, at, at+1)
	}
}

// from returns the keys that are not before k.
func (s *set[K]) from(k K) []K {
	at, _ := s.at(k)
	return s.keys[at:]
}

func (s *set[K]) at(k K) (int, bool) { return slices.BinarySearchFunc(s.keys, k, s.compare) }
