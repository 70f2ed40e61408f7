"""The backend for a Kubernetes cluster: it applies the manifests of platform/deployment/kubernetes."""
