// Package awsauth is empty: without it, Consul offers no login with roles of AWS, which the lab does
// not use. One package behind it, the client for AWS' accounts, takes the compiler 14 s.
package awsauth
