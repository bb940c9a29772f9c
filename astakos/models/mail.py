"""Mail that the mail server did not take yet."""

from __future__ import annotations

from django.db import models


class QueuedMail(models.Model):
    """One message that waits for the mail server to come back; deleted when it was taken."""

    template = models.CharField(max_length=64)
    subject = models.CharField(max_length=255)
    body = models.TextField()
    html = models.TextField(default="", blank=True)
    recipients = models.JSONField()
    created = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    next_attempt = models.DateTimeField(db_index=True)
    last_error = models.TextField(default="", blank=True)

    class Meta:
        db_table = "astakos_queued_mail"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.template} of {self.created}"
