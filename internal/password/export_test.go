package password

import "context"

// heldGate is one that a test holds.
var heldGate *Gate

// HoldGate makes a gate with nobody's turn left, until release.
func HoldGate() (release func()) {
	heldGate = NewGate()
	for range cap(heldGate.slots) {
		heldGate.slots <- struct{}{}
	}
	return func() {
		for range cap(heldGate.slots) {
			heldGate.Leave()
		}
	}
}

// EnterGate enters it.
func EnterGate(ctx context.Context) error { return heldGate.Enter(ctx) }
