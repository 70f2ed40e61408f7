// See k8s.go.
package kubeauth
