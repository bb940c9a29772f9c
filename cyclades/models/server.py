"""Servers and what belongs to one (compute contract 19)."""

from __future__ import annotations

from django.db import models

from cyclades.models.backend import Backend, JobFields
from cyclades.models.flavor import Flavor
from cyclades.models.states import ServerState, TagStatus, Task


class Server(JobFields):
    """A virtual server.

    ``operstate`` moves only by Ganeti's events; ``task`` and ``task_job_id`` say what is in flight;
    ``serial`` is the quota commission that waits for that job. ``progress_time`` orders build progress
    apart from ``backendtime``, because nodes' clocks differ.
    """

    name = models.CharField(max_length=255)
    userid = models.CharField(max_length=100, db_index=True)
    project = models.CharField(max_length=255, db_index=True)
    shared_to_project = models.BooleanField(default=False)
    backend = models.ForeignKey(Backend, null=True, on_delete=models.PROTECT, related_name="servers")
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    imageid = models.CharField(max_length=100)
    image_version = models.BigIntegerField(null=True)
    key_names = models.JSONField(default=list)
    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="servers")
    deleted = models.BooleanField(default=False)
    suspended = models.BooleanField(default=False)
    helper = models.BooleanField(default=False)
    rescue = models.BooleanField(default=False)
    rescue_image = models.ForeignKey(
        "cyclades.RescueImage", null=True, blank=True, on_delete=models.SET_NULL, related_name="servers"
    )
    resize = models.OneToOneField(
        "cyclades.ServerResize", null=True, blank=True, on_delete=models.SET_NULL, related_name="server"
    )
    action = models.CharField(max_length=30, choices=Task.choices, blank=True, default="")
    operstate = models.CharField(max_length=30, choices=ServerState.choices, default=ServerState.BUILD)
    task = models.CharField(max_length=64, choices=Task.choices, blank=True, default="")
    task_job_id = models.BigIntegerField(null=True, blank=True)
    serial = models.BigIntegerField(null=True, blank=True)
    buildpercentage = models.PositiveSmallIntegerField(default=0)
    progress_time = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "cyclades_server"
        ordering = ("pk",)
        indexes = [
            models.Index(fields=["userid", "deleted", "id"], name="cyclades_server_owner_idx"),
            models.Index(
                fields=["project", "shared_to_project", "deleted"], name="cyclades_server_shared_idx"
            ),
            models.Index(fields=["userid", "updated"], name="cyclades_server_updated_idx"),
            models.Index(fields=["backend", "deleted"], name="cyclades_server_backend_idx"),
        ]

    def __str__(self) -> str:
        return f"server {self.pk} ({self.name})"


class ServerMetadata(models.Model):
    """A key and value that a user keeps on a server."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="metadata")
    meta_key = models.CharField(max_length=50)
    meta_value = models.CharField(max_length=500)

    class Meta:
        db_table = "cyclades_servermetadata"
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(fields=["server", "meta_key"], name="cyclades_servermetadata_key_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.meta_key}={self.meta_value}"


class ServerTag(models.Model):
    """A tag, with its namespace prefix (Ganeti contract 2.2)."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=128)
    status = models.CharField(max_length=16, choices=TagStatus.choices, default=TagStatus.PENDADD)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "cyclades_servertag"
        ordering = ("pk",)
        constraints = [models.UniqueConstraint(fields=["server", "tag"], name="cyclades_servertag_tag_uniq")]

    def __str__(self) -> str:
        return self.tag


class ServerDiagnostic(models.Model):
    """A message of the deployment of a server (compute contract 9.6)."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="diagnostics")
    created = models.DateTimeField(auto_now_add=True)
    level = models.CharField(max_length=20)
    source = models.CharField(max_length=100)
    source_date = models.DateTimeField(null=True)
    message = models.CharField(max_length=255)
    details = models.TextField(null=True)

    class Meta:
        db_table = "cyclades_serverdiagnostic"
        ordering = ("-created", "-pk")
        indexes = [models.Index(fields=["server", "-created"], name="cyclades_diagnostic_latest_idx")]

    def __str__(self) -> str:
        return f"{self.level} {self.source}: {self.message}"


class PublicKeyPair(models.Model):
    """An SSH public key of a user (compute contract 12)."""

    user = models.CharField(max_length=100, db_index=True)
    name = models.CharField(max_length=255)
    content = models.TextField()
    fingerprint = models.CharField(max_length=100, blank=True, default="")
    type = models.CharField(max_length=32, default="ssh")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "cyclades_publickeypair"
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="cyclades_publickeypair_name_uniq")
        ]

    def __str__(self) -> str:
        return self.name
