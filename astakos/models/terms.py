"""Terms of use."""

from __future__ import annotations

from django.db import models


class ApprovalTerms(models.Model):
    """One version of the terms of use; the newest is the one in force (identity contract 4.4)."""

    date = models.DateTimeField(db_index=True)
    location = models.CharField(max_length=255)
    #: What people agreed to; kept here because the file may change.
    text = models.TextField(default="")
    sha256 = models.CharField(max_length=64, default="")

    class Meta:
        db_table = "astakos_terms"

    def __str__(self) -> str:
        return f"terms {self.pk} of {self.date:%Y-%m-%d}"
