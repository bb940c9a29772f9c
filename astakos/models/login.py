"""Everything around logging in besides the account itself (identity contract 4.3, 4.5)."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models


class PendingThirdPartyUser(models.Model):
    """Somebody whom an identity provider knows and who has not signed up yet.

    Only the digest of ``token`` is stored: who has it may claim the identity.
    """

    provider = models.CharField(max_length=64)
    identifier = models.CharField(max_length=255)
    email = models.CharField(max_length=255, default="", blank=True)
    first_name = models.CharField(max_length=30, default="", blank=True)
    last_name = models.CharField(max_length=30, default="", blank=True)
    affiliation = models.CharField(max_length=255, default="", blank=True)
    info = models.JSONField(default=dict)
    token_digest = models.CharField(max_length=64, editable=False)
    created = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "astakos_pending_third_party_user"
        constraints = [
            models.UniqueConstraint(fields=["provider", "identifier"], name="astakos_pending_user_uniq"),
            models.UniqueConstraint(fields=["token_digest"], name="astakos_pending_user_token_uniq"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.identifier}"


class AuthProviderPolicyProfile(models.Model):
    """Deviations from the settings' provider policies for some users and groups; null means none."""

    name = models.CharField(max_length=255)
    provider = models.CharField(max_length=64)
    #: An exclusive profile applies to every provider except its own.
    is_exclusive = models.BooleanField(default=False)
    policy_add = models.BooleanField(null=True)
    policy_remove = models.BooleanField(null=True)
    policy_create = models.BooleanField(null=True)
    policy_login = models.BooleanField(null=True)
    policy_required = models.BooleanField(null=True)
    policy_automoderate = models.BooleanField(null=True)
    policy_limit = models.IntegerField(null=True)
    priority = models.IntegerField(default=1)
    active = models.BooleanField(default=True)
    users = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="policy_profiles")
    groups = models.ManyToManyField(Group, related_name="policy_profiles")

    class Meta:
        db_table = "astakos_auth_policy_profile"
        ordering = ("priority", "id")
        constraints = [models.UniqueConstraint(fields=["name"], name="astakos_auth_policy_profile_uniq")]

    def __str__(self) -> str:
        return self.name


class EmailChange(models.Model):
    """A user's wish for another address, until the new address confirms it; one per user."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="email_change"
    )
    new_email_address = models.CharField(max_length=255)
    requested_at = models.DateTimeField()
    activation_key_digest = models.CharField(max_length=64, editable=False)

    class Meta:
        db_table = "astakos_email_change"
        constraints = [
            models.UniqueConstraint(fields=["activation_key_digest"], name="astakos_email_change_key_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} -> {self.new_email_address}"


class SessionCatalog(models.Model):
    """Which browser sessions a user has, so that all others can be ended."""

    session_key = models.CharField(max_length=40)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sessions")
    created = models.DateTimeField()
    #: What the profile page shows of the browser.
    user_agent = models.CharField(max_length=255, default="", blank=True)

    class Meta:
        db_table = "astakos_session_catalog"
        constraints = [
            models.UniqueConstraint(fields=["session_key"], name="astakos_session_catalog_key_uniq")
        ]

    def __str__(self) -> str:
        return f"session of {self.user_id}"


class Invitation(models.Model):
    """An invitation to sign up; the code's digest is stored, the code is only in the mail."""

    inviter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitations_sent"
    )
    realname = models.CharField(max_length=255)
    email = models.CharField(max_length=255)
    code_digest = models.CharField(max_length=64, editable=False)
    created = models.DateTimeField()
    consumed = models.DateTimeField(null=True)

    class Meta:
        db_table = "astakos_invitation"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["code_digest"], name="astakos_invitation_code_uniq"),
            models.UniqueConstraint(fields=["inviter", "email"], name="astakos_invitation_email_uniq"),
        ]

    def __str__(self) -> str:
        return f"invitation of {self.email}"


class TotpDevice(models.Model):
    """A user's authenticator application; the secret is encrypted."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="totp_device"
    )
    secret = models.TextField(editable=False)
    #: Null until the first code proved that the application has the secret.
    confirmed = models.DateTimeField(null=True)
    #: The 30-second step of the last accepted code: a code is good once.
    last_step = models.BigIntegerField(default=0)
    created = models.DateTimeField()

    class Meta:
        db_table = "astakos_totp_device"

    def __str__(self) -> str:
        return f"authenticator of {self.user_id}"


class RecoveryCode(models.Model):
    """A code that replaces the second factor once."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes"
    )
    code_digest = models.CharField(max_length=64, editable=False)
    used = models.DateTimeField(null=True)

    class Meta:
        db_table = "astakos_recovery_code"
        constraints = [
            models.UniqueConstraint(fields=["user", "code_digest"], name="astakos_recovery_code_uniq")
        ]

    def __str__(self) -> str:
        return f"recovery code of {self.user_id}"


class Passkey(models.Model):
    """A WebAuthn credential of a user; ids and keys in base64url."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=80)
    credential_id = models.CharField(max_length=1400)
    public_key = models.TextField()
    sign_count = models.BigIntegerField(default=0)
    created = models.DateTimeField()
    last_used = models.DateTimeField(null=True)

    class Meta:
        db_table = "astakos_passkey"
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=["credential_id"], name="astakos_passkey_id_uniq")]

    def __str__(self) -> str:
        return self.name


class SamlMessage(models.Model):
    """The id of a SAML message that was used: an assertion is good once."""

    message_id = models.CharField(max_length=255)
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "astakos_saml_message"
        constraints = [models.UniqueConstraint(fields=["message_id"], name="astakos_saml_message_uniq")]

    def __str__(self) -> str:
        return self.message_id
