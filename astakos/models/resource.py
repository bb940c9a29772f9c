"""What can be counted."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Resource(models.Model):
    """A named counter registered by a service (identity contract 2.3)."""

    name = models.CharField(max_length=255)
    desc = models.TextField(default="", blank=True)
    unit = models.CharField(max_length=64, null=True)
    service_type = models.CharField(max_length=255)
    service_origin = models.CharField(max_length=255, db_index=True)
    #: Capacity that the system projects of future users get.
    uplimit = models.BigIntegerField()
    #: Capacity that ordinary projects get when their application names none.
    project_default = models.BigIntegerField()
    ui_visible = models.BooleanField(default=True)
    api_visible = models.BooleanField(default=True)

    class Meta:
        db_table = "astakos_resource"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["name"], name="astakos_resource_name_uniq"),
            models.CheckConstraint(
                condition=Q(uplimit__gte=0, project_default__gte=0), name="astakos_resource_limits_check"
            ),
            models.CheckConstraint(
                condition=Q(ui_visible=False) | Q(api_visible=True), name="astakos_resource_visible_check"
            ),
        ]

    def __str__(self) -> str:
        return self.name
