"""A Kubernetes API server on one machine: etcd and kube-apiserver, built from their Go modules, without nodes.

May import `local`. See README.md.
"""
