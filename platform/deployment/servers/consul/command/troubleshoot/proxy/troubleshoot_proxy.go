// Package proxy holds `consul troubleshoot proxy`, which looks at an Envoy proxy. The lab has none, and
// the original imports all message types of Envoy.
package proxy

import "github.com/hashicorp/consul/command/cli"

type cmd struct{ ui cli.Ui }

// New makes the command.
func New(ui cli.Ui) *cmd { return &cmd{ui} }

// Run reports that the command is missing.
func (c *cmd) Run([]string) int {
	c.ui.Error("This Consul was built without support for Envoy proxies.")
	return 1
}

// Synopsis describes the command in the list of commands.
func (*cmd) Synopsis() string { return "Not part of this build" }

// Help describes the command.
func (*cmd) Help() string { return "Not part of this build" }
