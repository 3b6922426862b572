package find

import (
	"slices"
)

// look returns the numbers of the messages of a chapter for which a search holds, in
// order. What can only be few is asked first.
func look(c chapter, clauses []clause) ([]number, error) {
	found := everything(c, len(clauses) == 0)
	for i, cl := range clauses {
		some, err := anyOf(c, cl)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			found = some
		} else {
			found = both(found, some)
		}
		if len(found) == 0 {
			return nil, nil
		}
	}
	return found, nil
}

// everything is what a search without words finds.
func everything(c chapter, wanted bool) (all []number) {
	if wanted {
		for n := range c.messages() {
			all = append(all, number(n))
		}
	}
	return all
}

func anyOf(c chapter, ways clause) ([]number, error) {
	var all []number
	for _, w := range ways {
		some, err := allOf(c, w)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	if len(ways) > 1 {
		all = inOrder(all)
	}
	return all, nil
}

func allOf(c chapter, terms way) (found []number, err error) {
	for i, t := range terms {
		some, err := c.find(t)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			found = some
		} else {
			found = both(found, some)
		}
		if len(found) == 0 {
			return nil, nil
		}
	}
	return found, nil
}

// both are the numbers that two ordered lists have in common.
func both(a, b []number) []number {
	common := a[:0]
	for _, n := range a {
		i, is := slices.BinarySearch(b, n)
		if is {
			common = append(common, n)
		}
		b = b[i:]
	}
	return common
}

// cheapest puts first the clauses that look at the fewest terms.
func cheapest(clauses []clause) {
	cost := func(cl clause) int {
		n := 0
		for _, w := range cl {
			for _, t := range w {
				n++
				if t.prefix {
					n += 1000 / len(t.key)
				}
			}
		}
		return n
	}
	slices.SortStableFunc(clauses, func(a, b clause) int { return cost(a) - cost(b) })
}
