"""Versions of nodes, and their metadata."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from pithos.models.fields import BytewiseCharField
from pithos.models.node import Node


class Cluster(models.IntegerChoices):
    """Where a version stands: current, superseded, or the mark that a deletion left."""

    CURRENT = 0
    HISTORY = 1
    DELETED = 2


class Availability(models.IntegerChoices):
    """Whether an object's data can be read; anything but READY occurs only with snapshots."""

    BROKEN = -1
    PENDING = 0
    READY = 1


class Version(models.Model):
    """One state of a node. Its id is the version number that clients see.

    A deletion mark has no hash, also when the object was made again and the mark is history.

    ``size`` in bytes; ``hash`` the object hash in hexadecimal; ``checksum`` the MD5 or empty; ``mapfile`` the
    name of the block map, null when there are no blocks; ``source`` the version this one was made from.
    """

    node = models.ForeignKey(Node, models.CASCADE, related_name="versions", db_index=False)
    cluster = models.SmallIntegerField(choices=Cluster.choices, default=Cluster.CURRENT)
    hash = models.CharField(max_length=256, null=True)
    size = models.BigIntegerField(default=0)
    type = models.CharField(max_length=256, default="")
    source = models.BigIntegerField(null=True)
    mtime = models.DateTimeField()
    muser = models.CharField(max_length=256)
    uuid = models.CharField(max_length=64)
    checksum = models.CharField(max_length=256, default="")
    available = models.SmallIntegerField(choices=Availability.choices, default=Availability.READY)
    map_check_timestamp = models.DateTimeField(null=True)
    mapfile = models.CharField(max_length=256, null=True)
    is_snapshot = models.BooleanField(default=False)
    # The data is a list of other objects, in whose place their data is sent (object-storage contract 22).
    is_static_manifest = models.BooleanField(default=False)
    # When the object stops to exist.
    expires = models.DateTimeField(null=True)

    class Meta:
        db_table = "pithos_version"
        constraints = [
            # A node has one latest state, current or deleted; everything else is history.
            models.UniqueConstraint(
                fields=["node"], condition=~Q(cluster=Cluster.HISTORY), name="pithos_version_latest_key"
            ),
            models.CheckConstraint(condition=Q(size__gte=0), name="pithos_version_size_check"),
            models.CheckConstraint(condition=Q(cluster__in=[0, 1, 2]), name="pithos_version_cluster_check"),
            models.CheckConstraint(
                condition=Q(available__in=[-1, 0, 1]), name="pithos_version_available_check"
            ),
        ]
        indexes = [
            models.Index(fields=["node", "mtime"], name="pithos_version_node_mtime_idx"),
            models.Index(
                fields=["uuid"], condition=Q(cluster=Cluster.CURRENT), name="pithos_version_uuid_idx"
            ),
            models.Index(fields=["mapfile"], name="pithos_version_mapfile_idx"),
            models.Index(
                fields=["expires"],
                condition=Q(cluster=Cluster.CURRENT, expires__isnull=False),
                name="pithos_version_expires_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.pk} of node {self.node_id}"


class Attribute(models.Model):
    """One metadata item of a version. Domains keep the user's and the image service's items apart.

    ``parent`` repeats the node's parent and ``is_latest`` the version's standing, for the index that answers
    which keys the objects of a container use.
    """

    version = models.ForeignKey(Version, models.CASCADE, related_name="attributes", db_index=False)
    node = models.ForeignKey(Node, models.CASCADE, related_name="+")
    parent = models.ForeignKey(
        Node, models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    domain = models.CharField(max_length=256)
    key = BytewiseCharField(max_length=128)
    # X-Object-Manifest names a container and the beginning of an object's name; other values are shorter.
    value = BytewiseCharField(max_length=1536)
    is_latest = models.BooleanField(default=True)

    class Meta:
        db_table = "pithos_attribute"
        constraints = [
            models.UniqueConstraint(fields=["version", "domain", "key"], name="pithos_attribute_item_key"),
        ]
        indexes = [
            models.Index(
                fields=["parent", "domain", "key"],
                condition=Q(is_latest=True),
                name="pithos_attribute_keys_idx",
            ),
            models.Index(
                fields=["domain", "node"], condition=Q(is_latest=True), name="pithos_attribute_domain_idx"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.domain}: {self.key}={self.value}"
