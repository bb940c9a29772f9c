"""Clients of the OAuth2 provider and what was granted to them (identity contract 1.9)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class OAuth2Client(models.Model):
    """A program that may ask for access tokens; of its secret, which is random, a keyed digest is stored."""

    class Type(models.TextChoices):
        """Whether the client can keep a secret."""

        CONFIDENTIAL = "confidential"
        PUBLIC = "public"

    name = models.CharField(max_length=100)
    identifier = models.CharField(max_length=255)
    secret = models.CharField(max_length=255, null=True, editable=False)
    url = models.CharField(max_length=255, default="", blank=True)
    type = models.CharField(max_length=20, choices=Type.choices, default=Type.CONFIDENTIAL)
    is_trusted = models.BooleanField(default=False)

    class Meta:
        db_table = "astakos_oauth2_client"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["identifier"], name="astakos_oauth2_client_identifier_uniq"),
            models.CheckConstraint(
                condition=Q(type="public") | Q(secret__isnull=False),
                name="astakos_oauth2_client_secret_check",
            ),
        ]

    def __str__(self) -> str:
        return self.identifier


class OAuth2RedirectUrl(models.Model):
    """Where a client's answers may go."""

    client = models.ForeignKey(OAuth2Client, on_delete=models.CASCADE, related_name="redirect_urls")
    url = models.TextField()
    is_default = models.BooleanField(default=False)

    class Meta:
        db_table = "astakos_oauth2_redirect_url"
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=["client", "url"], name="astakos_oauth2_redirect_uniq")]

    def __str__(self) -> str:
        return self.url


class OAuth2Code(models.Model):
    """An authorization code: exchanged once, within a minute."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="oauth2_codes")
    client = models.ForeignKey(OAuth2Client, on_delete=models.CASCADE, related_name="codes")
    code_digest = models.CharField(max_length=64, editable=False)
    redirect_uri = models.TextField()
    scope = models.TextField(null=True)
    state = models.TextField(null=True)
    access_token = models.CharField(max_length=20, default="online")
    #: PKCE (RFC 7636); empty when the client did not use it.
    code_challenge = models.CharField(max_length=128, default="", blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "astakos_oauth2_code"
        constraints = [models.UniqueConstraint(fields=["code_digest"], name="astakos_oauth2_code_uniq")]

    def __str__(self) -> str:
        return f"code for {self.client_id}"


class OAuth2Token(models.Model):
    """An access token: good for seconds and for one scope."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="oauth2_tokens")
    client = models.ForeignKey(OAuth2Client, on_delete=models.CASCADE, related_name="tokens")
    code_digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    token_type = models.CharField(max_length=20, default="Bearer")
    grant_type = models.CharField(max_length=40, default="authorization_code")
    redirect_uri = models.TextField()
    scope = models.TextField(null=True)
    state = models.TextField(null=True)
    access_token = models.CharField(max_length=20, default="online")

    class Meta:
        db_table = "astakos_oauth2_token"
        constraints = [models.UniqueConstraint(fields=["code_digest"], name="astakos_oauth2_token_uniq")]

    def __str__(self) -> str:
        return f"token for {self.client_id}"
