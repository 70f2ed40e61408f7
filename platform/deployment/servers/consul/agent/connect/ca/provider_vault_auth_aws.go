package ca

import (
	"errors"

	"github.com/hashicorp/consul/agent/structs"
)

// NewAWSAuthClient makes a client that cannot log in to Vault. See the package awsauth.
func NewAWSAuthClient(authMethod *structs.VaultAuthMethod) *VaultAuthClient {
	client := NewVaultAPIAuthClient(authMethod, "")
	client.LoginDataGen = func(*structs.VaultAuthMethod) (map[string]interface{}, error) {
		return nil, errors.New("this Consul was built without login through AWS")
	}
	return client
}
