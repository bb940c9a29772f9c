"""Copies of disks into the object store that were asked for (volume contract 9)."""

from __future__ import annotations

from django.db import models

from cyclades.models.backend import Backend
from cyclades.models.server import Server
from cyclades.models.states import IntentState
from cyclades.models.volume import Volume


class SnapshotJob(models.Model):
    """One snapshot whose data a node brings; kept so that nothing is lost with a message or a process.

    ``snapshot_id`` is the object's id, ``disk`` the disk's name in Ganeti. ``PENDING`` was not sent to the
    node yet, ``SUBMITTED`` was; ``not_before`` is when it is sent next unless the node speaks first.
    ``progress`` is what part of the disk is copied, in per cent.
    """

    snapshot_id = models.CharField(max_length=64, unique=True)
    volume = models.ForeignKey(Volume, null=True, on_delete=models.SET_NULL, related_name="snapshot_jobs")
    server = models.ForeignKey(Server, null=True, on_delete=models.SET_NULL, related_name="+")
    backend = models.ForeignKey(Backend, null=True, on_delete=models.SET_NULL, related_name="+")
    disk = models.CharField(max_length=128)
    size = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=IntentState.choices, default=IntentState.PENDING)
    progress = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    last_error = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        db_table = "cyclades_snapshotjob"
        indexes = [
            models.Index(
                fields=["not_before"],
                name="cyclades_snapshotjob_open_idx",
                condition=models.Q(state__in=[IntentState.PENDING, IntentState.SUBMITTED]),
            )
        ]

    def __str__(self) -> str:
        return f"snapshot {self.snapshot_id} of {self.disk} ({self.state})"
