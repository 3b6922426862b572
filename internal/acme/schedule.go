package acme

import (
	"crypto/x509"
	"time"
)

// patience is how long a try that follows n failures waits. Authorities allow few
// failures an hour.
func patience(failures int) time.Duration {
	waits := [...]time.Duration{time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour}
	return waits[min(max(failures, 1), len(waits))-1]
}

// due is when a certificate is to be renewed if the authority asks for nothing else:
// with a third of its time left.
func due(c *x509.Certificate) time.Time {
	return c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore) / 3)
}

// asking is how long to wait before the authority is asked again whether it wants a
// certificate renewed. It may say after how long.
func asking(retryAfter time.Duration) time.Duration {
	const usual, least, most = 6 * time.Hour, time.Hour, 24 * time.Hour
	if retryAfter <= 0 {
		return usual
	}
	return min(max(retryAfter, least), most)
}
