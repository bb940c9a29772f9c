"""Volumes: the disks of servers (volume contract 2)."""

from __future__ import annotations

from django.db import models

from cyclades.models.backend import Backend
from cyclades.models.flavor import VolumeType
from cyclades.models.server import Server
from cyclades.models.states import VolumeStatus


class Volume(models.Model):
    """A disk of ``size`` GiB; ``index`` 0 is the system disk of its server.

    ``source`` is ``image:<id>``, ``snapshot:<id>``, ``volume:<id>`` or null, ``origin`` the block map of that
    source and ``origin_size`` its size in bytes. ``backendjobid`` null means that Ganeti never touched it;
    ``backend`` is the cluster that did last.
    """

    name = models.CharField(max_length=255, null=True)
    description = models.CharField(max_length=255, null=True)
    userid = models.CharField(max_length=100, db_index=True)
    project = models.CharField(max_length=255, db_index=True)
    shared_to_project = models.BooleanField(default=False)
    size = models.PositiveIntegerField()
    volume_type = models.ForeignKey(VolumeType, on_delete=models.PROTECT, related_name="volumes")
    delete_on_termination = models.BooleanField(default=True)
    source = models.CharField(max_length=128, null=True)
    source_version = models.BigIntegerField(null=True)
    origin = models.CharField(max_length=256, null=True)
    deleted = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    status = models.CharField(max_length=64, choices=VolumeStatus.choices, default=VolumeStatus.CREATING)
    snapshot_counter = models.PositiveIntegerField(default=0)
    machine = models.ForeignKey(Server, null=True, on_delete=models.SET_NULL, related_name="volumes")
    index = models.PositiveIntegerField(null=True)
    backendjobid = models.BigIntegerField(null=True)
    serial = models.BigIntegerField(null=True)
    legacy_backend_volume_uuid = models.CharField(max_length=128, null=True)
    origin_size = models.BigIntegerField(null=True)
    backend = models.ForeignKey(Backend, null=True, on_delete=models.SET_NULL, related_name="volumes")

    class Meta:
        db_table = "cyclades_volume"
        ordering = ("pk",)
        indexes = [
            models.Index(fields=["userid", "deleted", "id"], name="cyclades_volume_owner_idx"),
            models.Index(
                fields=["updated"],
                name="cyclades_volume_doomed_idx",
                condition=models.Q(status=VolumeStatus.DELETING, machine=None),
            ),
        ]

    def __str__(self) -> str:
        return f"volume {self.pk} ({self.size} GiB)"


class VolumeMetadata(models.Model):
    """A key and value that a user keeps on a volume."""

    volume = models.ForeignKey(Volume, on_delete=models.CASCADE, related_name="metadata")
    key = models.CharField(max_length=64)
    value = models.CharField(max_length=255)

    class Meta:
        db_table = "cyclades_volumemetadata"
        constraints = [
            models.UniqueConstraint(fields=["volume", "key"], name="cyclades_volumemetadata_key_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"
