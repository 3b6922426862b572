package queue

// maxIdle is how many destinations without mail are remembered: their pace,
// whether they are down, when the next delivery may begin. Past it the one that
// has been idle for longest is forgotten.
const maxIdle = 10_000

// rest notes that a destination has no mail.
func (s *Schedule) rest(d *destination) {
	if d.idle.in {
		return
	}
	d.idle.in = true
	s.idle.append(&d.idle)
	if s.idlers++; s.idlers > maxIdle {
		s.forget(s.idle.head.node.dest)
	}
}

// rouse notes that a destination has mail again.
func (s *Schedule) rouse(d *destination) {
	if d.idle.in {
		d.idle.in = false
		s.idle.unlink(&d.idle)
		s.idlers--
	}
}

func (s *Schedule) forget(d *destination) {
	s.rouse(d)
	last := s.order[len(s.order)-1]
	s.order[d.spot], last.spot = last, d.spot
	s.order[len(s.order)-1] = nil
	s.order = s.order[:len(s.order)-1]
	delete(s.dests, d.key)
	s.unbind(&d.node)
	s.quit(d.at)
}

// quit takes a destination from a site, which goes with its last one.
func (s *Schedule) quit(at *site) {
	if at.dests--; at.dests == 0 && at.busy == 0 {
		s.wakes.drop(&at.wake)
		s.unbind(&at.node)
		delete(at.route.sites, at.key)
	}
}
