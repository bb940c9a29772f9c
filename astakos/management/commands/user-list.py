"""List users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from astakos.models import User
from synnefo.management.listing import Field, ListCommand


def _providers(user: User) -> str:
    return ", ".join(map(str, user.auth_providers.all()))


def _groups(user: User) -> str:
    return ", ".join(group.name for group in user.groups.all())


def _login_details(user: User) -> str:
    return ", ".join(
        f"{row.module}: {row.last_login_at}" for row in user.auth_providers.all() if row.last_login_at
    )


class Command(ListCommand):
    help = "List users."
    object_class = User
    FIELDS = {
        "id": Field("id", "The user's id"),
        "realname": Field("realname", "First and last name"),
        "active": Field("is_active", "Whether the user can log in"),
        "verified": Field("email_verified", "Whether the e-mail address is verified"),
        "moderated": Field("moderated", "Whether the account was accepted or rejected"),
        "admin": Field("is_superuser", "Whether the user has every permission"),
        "uuid": Field("uuid", "The user's uuid"),
        "providers": Field(_providers, "Ways to log in"),
        "activation_sent": Field("activation_sent", "When the verification mail was sent"),
        "displayname": Field("username", "The login name, which is the e-mail address"),
        "groups": Field(_groups, "Groups the user is in"),
        "last_login_details": Field(_login_details, "Last log-in of each way"),
        "last_login": Field("last_login", "Last log-in"),
    }
    default_fields = ("id", "displayname", "realname", "uuid", "active", "admin")
    prefetch_related = ("auth_providers", "groups")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--auth-providers", action="store_true", help="Add a column with the ways to log in.")
        add(
            "--group",
            action="append",
            default=[],
            dest="groups",
            help="Only members of this group (repeatable).",
        )
        add("--active", action="store_true", help="Only active users.")
        add("--pending-moderation", action="store_true", help="Only verified users who wait for staff.")
        add(
            "--pending-verification",
            action="store_true",
            help="Only users who have not proved their address.",
        )
        add(
            "--display-mails",
            "--displayname",
            action="store_true",
            help="Accepted; addresses are always shown.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["auth_providers"]:
            options["output"] = ",".join([options["output"] or ",".join(self.default_fields), "providers"])
        super().handle(*args, **options)

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[User]:
        users = User.objects.all()
        if options["groups"]:
            users = users.filter(groups__name__in=options["groups"]).distinct()
        if options["active"]:
            users = users.filter(is_active=True)
        if options["pending_moderation"]:
            users = users.filter(email_verified=True, moderated=False)
        if options["pending_verification"]:
            users = users.filter(email_verified=False)
        return users
