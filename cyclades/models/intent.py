"""What was promised to a client and must reach Ganeti (decision 2 of the architecture)."""

from __future__ import annotations

from django.db import models

from cyclades.models.backend import Backend
from cyclades.models.server import Server
from cyclades.models.states import IntentState


class JobIntent(models.Model):
    """A Ganeti job that was committed with the change it belongs to, before Ganeti heard of it.

    ``request_id`` travels in the job's reason trail, so that a job whose id was never stored is found
    again. ``payload`` is the RAPI call without secrets.
    """

    request_id = models.CharField(max_length=64, unique=True)
    server = models.ForeignKey(Server, null=True, on_delete=models.CASCADE, related_name="intents")
    network = models.ForeignKey(
        "cyclades.Network", null=True, on_delete=models.CASCADE, related_name="intents"
    )
    backend = models.ForeignKey(Backend, on_delete=models.PROTECT, related_name="intents")
    operation = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=IntentState.choices, default=IntentState.PENDING)
    job_id = models.BigIntegerField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    last_error = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        db_table = "cyclades_jobintent"
        indexes = [
            models.Index(
                fields=["created"],
                name="cyclades_jobintent_open_idx",
                condition=models.Q(state=IntentState.PENDING),
            ),
            models.Index(fields=["backend", "job_id"], name="cyclades_jobintent_job_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.request_id} ({self.state})"
