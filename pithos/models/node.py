"""Accounts, containers and objects as nodes of a tree of three levels."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from pithos.models.fields import BytewiseCharField


class Versioning(models.TextChoices):
    """Whether a container keeps superseded versions of its objects."""

    AUTO = "auto"
    NONE = "none"


class Node(models.Model):
    """A path: an account (no parent), a container (parent: account) or an object (parent: container).

    A node outlives its object: deleted and superseded versions hang on it until they are purged. ``is_live``
    says whether the node has a current version, and keeps dead names out of the listing index.
    """

    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children", db_index=False)
    name = BytewiseCharField(max_length=1024)
    is_live = models.BooleanField(default=True)

    class Meta:
        db_table = "pithos_node"
        constraints = [
            models.UniqueConstraint(fields=["parent", "name"], name="pithos_node_path_key"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(parent=None), name="pithos_node_account_key"
            ),
        ]
        indexes = [
            models.Index(
                fields=["parent", "name"], condition=Q(is_live=True), name="pithos_node_listing_idx"
            ),
        ]

    def __str__(self) -> str:
        return str(self.name)


class Statistics(models.Model):
    """What a container holds, kept up to date by deltas in the transaction of each change (bytes).

    An account has a row too, of which only ``modified`` is used: for changes of the account itself.
    """

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="statistics")
    current_count = models.BigIntegerField(default=0)
    current_bytes = models.BigIntegerField(default=0)
    history_count = models.BigIntegerField(default=0)
    history_bytes = models.BigIntegerField(default=0)
    deleted_count = models.BigIntegerField(default=0)
    modified = models.DateTimeField()

    class Meta:
        db_table = "pithos_statistics"
        constraints = [
            models.CheckConstraint(
                condition=Q(current_count__gte=0, current_bytes__gte=0)
                & Q(history_count__gte=0, history_bytes__gte=0, deleted_count__gte=0),
                name="pithos_statistics_sums_check",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node_id}: {self.current_count} objects, {self.current_bytes} bytes"


class ContainerPolicy(models.Model):
    """A container's policies: ``quota`` in bytes (0 unlimited), versioning, the project that is charged."""

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="policy")
    quota = models.BigIntegerField(default=0)
    versioning = models.CharField(max_length=8, choices=Versioning.choices, default=Versioning.AUTO)
    project = models.CharField(max_length=256)
    # Who may read or write all of the container, as Swift's clients write it (object-storage contract 22).
    read_acl = models.CharField(max_length=2048, default="")
    write_acl = models.CharField(max_length=2048, default="")

    class Meta:
        db_table = "pithos_container_policy"
        constraints = [
            models.CheckConstraint(condition=Q(quota__gte=0), name="pithos_container_policy_quota_check"),
            models.CheckConstraint(
                condition=Q(versioning__in=["auto", "none"]), name="pithos_container_policy_versioning_check"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node_id}: quota={self.quota} versioning={self.versioning} project={self.project}"
