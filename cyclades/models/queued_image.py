"""Images that were announced and have no data yet (image contract 11)."""

from __future__ import annotations

import uuid

from django.db import models


class QueuedImage(models.Model):
    """What the owner said of an image whose bytes are still to come; it goes when it becomes an object.

    ``fields`` and ``properties`` are what the image's metadata will be; ``upload_started`` is the time an
    upload that has not ended began.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.CharField(max_length=100, db_index=True)
    name = models.CharField(max_length=255)
    is_public = models.BooleanField(default=False)
    fields = models.JSONField(default=dict)
    properties = models.JSONField(default=dict)
    upload_started = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "cyclades_queuedimage"
        ordering = ("-created", "pk")

    def __str__(self) -> str:
        return f"queued image {self.pk} ({self.name})"
