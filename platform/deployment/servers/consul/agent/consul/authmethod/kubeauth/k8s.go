// Package kubeauth is empty: without it, Consul offers no login with Kubernetes' service accounts.
// The lab does not use it, and it brings 267 packages of Kubernetes' client with it.
package kubeauth
