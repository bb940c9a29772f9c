"""The kernel's tables: who did what, who is to know of it, and how often something was tried."""

from __future__ import annotations

from django.db import models


class AuditRecord(models.Model):
    """One privileged or state-changing action, written in the transaction that performs it."""

    created = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=255)
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=255, db_index=True)
    request_id = models.CharField(max_length=64)
    details = models.JSONField(default=dict)

    class Meta:
        db_table = "synnefo_audit"

    def __str__(self) -> str:
        return f"{self.created} {self.actor} {self.action} {self.target}"


class RateLimitCounter(models.Model):
    """How often a key was used since ``period_start``; see ``synnefo.rate_limit``."""

    key = models.CharField(max_length=64)
    period_start = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField()

    class Meta:
        db_table = "synnefo_rate_limit"
        constraints = [models.UniqueConstraint(fields=["key"], name="synnefo_rate_limit_key_uniq")]

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"


class Notification(models.Model):
    """Something a user should know of, written in the transaction of what it tells.

    ``kind`` chooses the text, which is made in the reader's language from ``details``; ``target`` is the
    object it is about, as in the audit trail. ``read`` is when the user saw it.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.CharField(max_length=100)
    kind = models.CharField(max_length=64)
    target = models.CharField(max_length=255)
    details = models.JSONField(default=dict)
    created = models.DateTimeField(db_index=True)
    read = models.DateTimeField(null=True)

    class Meta:
        db_table = "synnefo_notification"
        indexes = [
            models.Index(fields=["user", "-id"], name="synnefo_notification_user_idx"),
            models.Index(
                fields=["user"], name="synnefo_notification_open_idx", condition=models.Q(read__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target} for {self.user}"
