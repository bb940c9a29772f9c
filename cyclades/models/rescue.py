"""Rescue images and what chooses one for a server (compute contract 7.5 and 19)."""

from __future__ import annotations

from django.db import models

from cyclades.models.server import Server


class RescueImage(models.Model):
    """A CD image that a damaged server can be booted from.

    ``location`` is a URL, or a file below ``RESCUE_IMAGE_PATH`` on the nodes. ``target_os`` and
    ``target_os_family`` say which servers it is for.
    """

    class LocationType(models.TextChoices):
        """Where the image is."""

        FILE = "file"
        HTTP = "http"

    name = models.CharField(max_length=256)
    location = models.TextField()
    location_type = models.CharField(max_length=32, choices=LocationType.choices, default=LocationType.FILE)
    os = models.CharField(max_length=256, blank=True, default="")
    os_family = models.CharField(max_length=256, blank=True, default="")
    target_os = models.CharField(max_length=256, blank=True, default="")
    target_os_family = models.CharField(max_length=256, blank=True, default="")
    is_default = models.BooleanField(default=False)
    deleted = models.BooleanField(default=False)

    class Meta:
        db_table = "cyclades_rescueimage"
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True, deleted=False),
                name="cyclades_rescueimage_default_uniq",
            )
        ]

    def __str__(self) -> str:
        return f"rescue image {self.pk} ({self.name})"


class RescueProperties(models.Model):
    """The operating system a server was made with, which its rescue image has to suit."""

    server = models.OneToOneField(Server, on_delete=models.CASCADE, related_name="rescue_properties")
    os = models.CharField(max_length=256, blank=True, default="")
    os_family = models.CharField(max_length=256, blank=True, default="")

    class Meta:
        db_table = "cyclades_rescueproperties"

    def __str__(self) -> str:
        return f"{self.os_family} {self.os}"
