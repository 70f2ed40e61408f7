// Package xds configures Envoy proxies, of which the lab has none. The original of this file imports
// all message types of Envoy, so that a proxy's configuration may contain any of them: 340 packages.
package xds
