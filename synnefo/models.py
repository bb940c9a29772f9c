"""The kernel's tables: who did what, and how often something was tried."""

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
