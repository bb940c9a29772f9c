"""Flavors and volume types (compute contract 10.3, volume contract 2)."""

from __future__ import annotations

from django.db import models


class VolumeType(models.Model):
    """What kind of disk: a Ganeti disk template, for ``ext`` with its provider (``ext_archipelago``)."""

    name = models.CharField(max_length=255)
    disk_template = models.CharField(max_length=32)
    deleted = models.BooleanField(default=False)

    class Meta:
        db_table = "cyclades_volumetype"
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.name} ({self.disk_template})"

    @property
    def template(self) -> str:
        """Return Ganeti's disk template."""
        return self.disk_template.partition("_")[0]

    @property
    def provider(self) -> str | None:
        """Return the ExtStorage provider, if the template has one."""
        return self.disk_template.partition("_")[2] or None


class VolumeTypeSpec(models.Model):
    """A further parameter of a volume type."""

    volume_type = models.ForeignKey(VolumeType, on_delete=models.CASCADE, related_name="specs")
    key = models.CharField(max_length=64)
    value = models.CharField(max_length=255)

    class Meta:
        db_table = "cyclades_volumetypespec"
        constraints = [
            models.UniqueConstraint(fields=["key", "volume_type"], name="cyclades_volumetypespec_key_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Flavor(models.Model):
    """A server size: virtual CPUs, memory in MiB, system disk in GiB, kind of disk."""

    cpu = models.PositiveIntegerField()
    ram = models.PositiveIntegerField()
    disk = models.PositiveIntegerField()
    volume_type = models.ForeignKey(VolumeType, on_delete=models.PROTECT, related_name="flavors")
    deleted = models.BooleanField(default=False)
    allow_create = models.BooleanField(default=True)
    public = models.BooleanField(default=True)

    class Meta:
        db_table = "cyclades_flavor"
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(
                fields=["cpu", "ram", "disk", "volume_type"], name="cyclades_flavor_size_uniq"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Return the name clients see, such as ``C2R2048D20drbd``."""
        return f"C{self.cpu}R{self.ram}D{self.disk}{self.volume_type.disk_template}"


class FlavorAccess(models.Model):
    """A project that may use a private flavor."""

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="access")
    project = models.CharField(max_length=255)

    class Meta:
        db_table = "cyclades_flavoraccess"
        constraints = [
            models.UniqueConstraint(fields=["project", "flavor"], name="cyclades_flavoraccess_pair_uniq")
        ]

    def __str__(self) -> str:
        return f"flavor {self.flavor_id} for {self.project}"


class FlavorSpec(models.Model):
    """A further parameter of a flavor."""

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="specs")
    key = models.CharField(max_length=64)
    value = models.CharField(max_length=255)

    class Meta:
        db_table = "cyclades_flavorspec"
        constraints = [models.UniqueConstraint(fields=["key", "flavor"], name="cyclades_flavorspec_key_uniq")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"
