package login

import (
	"errors"
	"flag"
)

// AWSLogin would hold the options of `consul login` for accounts of AWS. See the package awsauth.
type AWSLogin struct{ autoBearerToken bool }

func (*AWSLogin) flags() *flag.FlagSet { return flag.NewFlagSet("", flag.ContinueOnError) }

func (*AWSLogin) checkFlags() error { return nil }

func (*AWSLogin) createAWSBearerToken() (string, error) {
	return "", errors.New("this Consul was built without login through AWS")
}
