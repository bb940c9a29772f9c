"""Tokens besides a user's own: what today's OpenStack clients ask for."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from astakos.models.user import new_uuid


class ApplicationCredential(models.Model):
    """A secret of its own for one program of a user, for one project."""

    uuid = models.CharField(max_length=36, default=new_uuid, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="application_credentials"
    )
    name = models.CharField(max_length=255)
    description = models.CharField(max_length=255, default="", blank=True)
    project = models.CharField(max_length=36)
    secret_digest = models.CharField(max_length=64, editable=False)
    unrestricted = models.BooleanField(default=False)
    created = models.DateTimeField()
    expires = models.DateTimeField(null=True)

    class Meta:
        db_table = "astakos_application_credential"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["uuid"], name="astakos_application_credential_uuid_uniq"),
            models.UniqueConstraint(fields=["user", "name"], name="astakos_application_credential_name_uniq"),
        ]

    def __str__(self) -> str:
        return self.name


class ScopedToken(models.Model):
    """A token that stands for a user in one project until it expires or is revoked.

    It dies with what it came from: ``parent_digest`` is the digest of the user's token at the time, and the
    application credential, if one was used, must still exist.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="scoped_tokens")
    digest = models.CharField(max_length=64, editable=False)
    audit_id = models.CharField(max_length=32)
    #: Empty: not scoped, the user's default project counts.
    project = models.CharField(max_length=36, default="", blank=True)
    methods = models.JSONField(default=list)
    application_credential = models.ForeignKey(
        ApplicationCredential, on_delete=models.CASCADE, null=True, related_name="tokens"
    )
    parent_digest = models.CharField(max_length=64, editable=False)
    created = models.DateTimeField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "astakos_scoped_token"
        constraints = [models.UniqueConstraint(fields=["digest"], name="astakos_scoped_token_digest_uniq")]

    def __str__(self) -> str:
        return f"token of {self.user_id}"
