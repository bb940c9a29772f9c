"""The quota holder: how much is used of what, and which changes are under way (identity contract 2.1)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Holding(models.Model):
    """What *holder* has of *resource*, drawn from *source*; project holdings have no source.

    ``usage_max`` is the usage if every pending allocation succeeds, ``usage_min`` if every pending release
    does, so ``usage_min <= usage_max`` always.
    """

    holder = models.CharField(max_length=255)
    source = models.CharField(max_length=255, null=True)
    resource = models.CharField(max_length=255)
    limit = models.BigIntegerField()
    usage_min = models.BigIntegerField(default=0)
    usage_max = models.BigIntegerField(default=0)

    class Meta:
        db_table = "astakos_holding"
        ordering = ("id",)
        constraints = [
            # Two NULL sources are distinct to a unique index, hence one index for each kind of holding.
            models.UniqueConstraint(
                fields=["holder", "resource", "source"],
                condition=Q(source__isnull=False),
                name="astakos_holding_user_uniq",
            ),
            models.UniqueConstraint(
                fields=["holder", "resource"],
                condition=Q(source__isnull=True),
                name="astakos_holding_project_uniq",
            ),
            models.CheckConstraint(condition=Q(limit__gte=0), name="astakos_holding_limit_check"),
            models.CheckConstraint(
                condition=Q(usage_min__gte=0, usage_max__gte=F("usage_min")),
                name="astakos_holding_usage_check",
            ),
        ]
        indexes = [
            # Partial indexes do not serve a lookup that may or may not name a source.
            models.Index(fields=["holder", "resource"], name="astakos_holding_holder"),
            models.Index(fields=["source", "resource"], name="astakos_holding_source"),
        ]

    def __str__(self) -> str:
        return f"{self.holder}/{self.source}/{self.resource}"


class Commission(models.Model):
    """A change of holdings that is neither accepted nor rejected yet; seen by its ``clientkey`` only."""

    serial = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=4096, default="", blank=True)
    clientkey = models.CharField(max_length=255)
    issue_datetime = models.DateTimeField()

    class Meta:
        db_table = "astakos_commission"
        ordering = ("serial",)
        indexes = [models.Index(fields=["clientkey", "serial"], name="astakos_commission_clientkey")]

    def __str__(self) -> str:
        return str(self.serial)


class Provision(models.Model):
    """The part of a commission that concerns one holding; negative quantities are releases."""

    # Resolving deletes provisions, then commissions, each in one statement without reading them again.
    commission = models.ForeignKey(Commission, on_delete=models.DO_NOTHING, related_name="provisions")
    # A holding that somebody is about to change must not vanish.
    holding = models.ForeignKey(Holding, on_delete=models.PROTECT, related_name="provisions")
    quantity = models.BigIntegerField()

    class Meta:
        db_table = "astakos_provision"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["commission", "holding"], name="astakos_provision_holding_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.commission_id}: {self.quantity:+d}"


class ProvisionLog(models.Model):
    """What became of a provision; rows are only ever added."""

    serial = models.BigIntegerField()
    name = models.CharField(max_length=4096)
    issue_time = models.DateTimeField()
    log_time = models.DateTimeField()
    holder = models.CharField(max_length=255)
    source = models.CharField(max_length=255, null=True)
    resource = models.CharField(max_length=255)
    limit = models.BigIntegerField()
    usage_min = models.BigIntegerField()
    usage_max = models.BigIntegerField()
    delta_quantity = models.BigIntegerField()
    reason = models.CharField(max_length=255)

    class Meta:
        db_table = "astakos_provision_log"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.serial}: {self.delta_quantity:+d} {self.reason}"
