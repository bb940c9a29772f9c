"""Users, how they log in and where their account stands."""

from __future__ import annotations

import uuid as uuid_module

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from synnefo import clock, crypto


def new_uuid() -> str:
    """Return a fresh public identifier."""
    return str(uuid_module.uuid4())


class UserManager(BaseUserManager["User"]):
    """Lookups by the names a person may be called; use cases of ``astakos.logic`` create users."""

    def get_by_natural_key(self, username: str | None) -> User:
        """Return the user with this e-mail address, in any case; raises ``User.DoesNotExist``."""
        return self.get(username=(username or "").lower())

    def create_superuser(
        self, username: str, email: str, first_name: str, last_name: str, password: str | None = None
    ) -> User:
        """Create the bare row that Django's ``createsuperuser`` makes; ``fix-superusers`` completes it.

        It has no token, so nothing can be done with it until then.
        """
        now = clock.now()
        user = User(
            username=username.lower(), email=email.lower(), first_name=first_name, last_name=last_name,
            is_superuser=True, auth_token="", auth_token_digest=crypto.token_digest(crypto.new_token()),
            auth_token_created=now, auth_token_expires=now, date_joined=now,
        )  # fmt: skip
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person with an account (identity contract 4.1).

    ``username`` is the lower-cased e-mail address. The token is kept twice: encrypted, because pages must
    show it, and as a keyed digest, by which requests find their user.
    """

    username = models.CharField(max_length=255)
    email = models.CharField(max_length=255)
    first_name = models.CharField(max_length=30, blank=True)
    last_name = models.CharField(max_length=30, blank=True)
    uuid = models.CharField(max_length=36, default=new_uuid, editable=False)

    auth_token = models.TextField(editable=False)
    auth_token_digest = models.CharField(max_length=64, editable=False)
    auth_token_created = models.DateTimeField()
    auth_token_expires = models.DateTimeField()

    is_active = models.BooleanField(default=False)
    email_verified = models.BooleanField(default=False)
    verification_code = models.CharField(max_length=64, null=True, editable=False)
    verified_at = models.DateTimeField(null=True)
    activation_sent = models.DateTimeField(null=True)

    moderated = models.BooleanField(default=False)
    moderated_at = models.DateTimeField(null=True)
    moderated_data = models.JSONField(null=True)
    accepted_policy = models.CharField(max_length=255, default="", blank=True)
    accepted_email = models.CharField(max_length=255, default="", blank=True)
    is_rejected = models.BooleanField(default=False)
    rejected_reason = models.TextField(default="", blank=True)
    deactivated_reason = models.TextField(default="", blank=True)
    deactivated_at = models.DateTimeField(null=True)

    has_signed_terms = models.BooleanField(default=False)
    date_signed_terms = models.DateTimeField(null=True)
    #: The version that was signed; null when there was none at the time.
    signed_terms = models.ForeignKey(
        "astakos.ApprovalTerms", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    #: True once the person has seen the profile page; not about the e-mail address.
    is_verified = models.BooleanField(default=False)

    base_project = models.OneToOneField(
        "astakos.Project", on_delete=models.SET_NULL, null=True, related_name="base_user"
    )
    #: Uuid of the project that new resources are charged to.
    default_project = models.CharField(max_length=36, default="", blank=True)

    #: Language, theme and the like, as the pages keep them (web contract 6).
    preferences = models.JSONField(default=dict)
    affiliation = models.CharField(max_length=255, default="", blank=True)
    level = models.IntegerField(default=4)
    invitations = models.IntegerField(default=0)
    date_joined = models.DateTimeField()
    updated = models.DateTimeField(auto_now=True)

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email", "first_name", "last_name"]

    class Meta:
        db_table = "astakos_user"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["username"], name="astakos_user_username_uniq"),
            models.UniqueConstraint(fields=["uuid"], name="astakos_user_uuid_uniq"),
            models.UniqueConstraint(fields=["auth_token_digest"], name="astakos_user_token_uniq"),
            models.UniqueConstraint(fields=["verification_code"], name="astakos_user_verification_uniq"),
            models.UniqueConstraint(
                Lower("email"), condition=Q(email_verified=True), name="astakos_user_verified_email_uniq"
            ),
            models.CheckConstraint(
                condition=Q(username=Lower(F("username"))), name="astakos_user_username_lower_check"
            ),
            models.CheckConstraint(
                condition=Q(is_active=False) | Q(email_verified=True, moderated=True, is_rejected=False),
                name="astakos_user_active_accepted_check",
            ),
            models.CheckConstraint(
                condition=Q(is_rejected=False) | Q(moderated=True),
                name="astakos_user_rejected_moderated_check",
            ),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def realname(self) -> str:
        """Return first and last name as clients show them."""
        return f"{self.first_name} {self.last_name}"

    @property
    def is_accepted(self) -> bool:
        """Tell whether staff or a policy let this person in, active or not."""
        return self.email_verified and self.moderated and not self.is_rejected


class UserAuthProvider(models.Model):
    """One way a user can log in (identity contract 4.5); ``identifier`` is empty for passwords."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="auth_providers")
    module = models.CharField(max_length=64)
    identifier = models.CharField(max_length=255, default="", blank=True)
    active = models.BooleanField(default=True)
    auth_backend = models.CharField(max_length=64, default="astakos")
    affiliation = models.CharField(max_length=255, default="", blank=True)
    info_data = models.JSONField(default=dict)
    created = models.DateTimeField()
    last_login_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "astakos_user_auth_provider"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                fields=["user", "module", "identifier"], name="astakos_user_auth_provider_identifier_uniq"
            )
        ]
        indexes = [models.Index(fields=["module", "identifier"], name="astakos_provider_identifier")]

    def __str__(self) -> str:
        return f"{self.module}:{self.identifier}" if self.identifier else self.module
