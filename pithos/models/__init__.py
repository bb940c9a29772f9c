"""The data model of object storage (object-storage contract 18)."""

from pithos.models.block import AccountBlock
from pithos.models.node import ContainerPolicy, Node, Statistics, Versioning
from pithos.models.sharing import Access, Grant, GroupMember, PublicLink
from pithos.models.version import Attribute, Availability, Cluster, Version

__all__ = [
    "Access",
    "AccountBlock",
    "Attribute",
    "Availability",
    "Cluster",
    "ContainerPolicy",
    "Grant",
    "GroupMember",
    "Node",
    "PublicLink",
    "Statistics",
    "Version",
    "Versioning",
]
