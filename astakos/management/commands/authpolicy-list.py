"""List the profiles of login policies."""

from __future__ import annotations

from astakos.models import AuthProviderPolicyProfile
from synnefo.management.listing import Field, ListCommand


def _groups(profile: AuthProviderPolicyProfile) -> str:
    return ", ".join(group.name for group in profile.groups.all())


def _users(profile: AuthProviderPolicyProfile) -> str:
    return ", ".join(user.email for user in profile.users.all())


class Command(ListCommand):
    help = "List the profiles of login policies."
    object_class = AuthProviderPolicyProfile
    FIELDS = {
        "id": Field("id", "The profile's id"),
        "name": Field("name", "The profile's name"),
        "provider": Field("provider", "The login method it is about"),
        "exclusive": Field("is_exclusive", "Whether it applies to all methods but this one"),
        "groups": Field(_groups, "The groups it applies to"),
        "users": Field(_users, "The users it applies to"),
        "priority": Field("priority", "Profiles with a higher one win"),
        "active": Field("active", "Whether it applies at all"),
    }
    default_fields = ("id", "name", "provider", "exclusive", "groups", "users")
    prefetch_related = ("users", "groups")
