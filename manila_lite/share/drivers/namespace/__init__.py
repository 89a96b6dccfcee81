# SPDX-License-Identifier: Apache-2.0
"""The namespace driver: share servers are network namespaces, each with its own NFS server."""

from manila_lite.share.drivers.namespace.driver import NamespaceDriver

__all__ = ["NamespaceDriver"]
