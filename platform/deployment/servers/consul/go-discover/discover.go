// Package discover stands in for the library with which Consul finds other agents through the
// interfaces of cloud providers. The lab runs one agent, which joins no other. The library brings
// 115 packages with it, among them the SDKs of all clouds.
package discover

import (
	"errors"
	"log"
)

// Provider looks up the addresses of other agents.
type Provider interface {
	Addrs(args map[string]string, l *log.Logger) ([]string, error)
	Help() string
}

// Discover knows no providers.
type Discover struct{}

// Option would change a Discover.
type Option func(*Discover) error

// Providers is empty: Consul adds Kubernetes' stand-in to a copy of it.
var Providers = map[string]Provider{}

// New ignores its options, because none of them concerns a Discover without providers.
func New(...Option) (*Discover, error) { return &Discover{}, nil }

// WithUserAgent is accepted and ignored.
func WithUserAgent(string) Option { return nil }

// WithProviders is accepted and ignored.
func WithProviders(map[string]Provider) Option { return nil }

// Addrs always fails, so that `retry_join = ["provider=..."]` reports the reason in Consul's log.
func (*Discover) Addrs(string, *log.Logger) ([]string, error) {
	return nil, errors.New("this Consul was built without cloud auto-join")
}

// Help describes nothing.
func (*Discover) Help() string { return "" }

// Names is empty.
func (*Discover) Names() []string { return nil }
