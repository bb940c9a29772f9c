"""Deviations from the login methods' policies for some users and groups (administrator's contract 2.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import Group

from astakos.logic.auth_providers import PROFILE_POLICIES
from astakos.logic.provider_modules import MODULES
from astakos.models import AuthProviderPolicyProfile, User
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, NotFound

MAX_LIMIT = 1000

PolicyValue = bool | int | None


def _check(policies: Mapping[str, PolicyValue]) -> None:
    for name, value in policies.items():
        if name not in PROFILE_POLICIES:
            raise BadRequest(f"A profile cannot set the policy '{name}'")
        if name == "limit":
            if value is not None and (isinstance(value, bool) or not 0 <= value <= MAX_LIMIT):
                raise BadRequest(f"The limit policy is a number from 0 to {MAX_LIMIT}")
        elif value is not None and not isinstance(value, bool):
            raise BadRequest(f"The {name} policy is True or False")


def _locked(name: str) -> AuthProviderPolicyProfile:
    try:
        return lock_one(AuthProviderPolicyProfile.objects.filter(name=name))
    except AuthProviderPolicyProfile.DoesNotExist:
        raise NotFound(f"There is no policy profile '{name}'") from None


def save(
    credentials: Credentials,
    *,
    name: str,
    provider: str,
    policies: Mapping[str, PolicyValue],
    exclusive: bool = False,
    update: bool = False,
) -> AuthProviderPolicyProfile:
    """Make a profile, or with *update* change one; a policy of ``None`` is no longer set by it.

    Raises ``Conflict`` for a known name without *update*, ``NotFound`` for an unknown one with it.
    """
    if not 1 <= len(name) <= 255:
        raise BadRequest("The name of a profile has 1 to 255 characters")
    if provider not in MODULES:
        raise BadRequest(f"There is no login method '{provider}'; there are {', '.join(MODULES)}")
    _check(policies)
    with atomic():
        if update:
            profile = _locked(name)
        elif AuthProviderPolicyProfile.objects.filter(name=name).exists():
            raise Conflict(f"There is already a policy profile '{name}'; use --update to change it")
        else:
            profile = AuthProviderPolicyProfile(name=name)
        profile.provider, profile.is_exclusive = provider, exclusive
        for policy, value in policies.items():
            setattr(profile, f"policy_{policy}", value)
        profile.save()
        audit.record(
            credentials,
            "policy_profile.update" if update else "policy_profile.add",
            f"policy_profile:{name}",
            provider=provider,
            exclusive=exclusive,
            policies=dict(policies),
        )
    return profile


def assign(
    credentials: Credentials, *, name: str, users: Sequence[int], groups: Sequence[int]
) -> AuthProviderPolicyProfile:
    """Let a profile apply to exactly these users and groups, by id; raises ``NotFound``."""
    with atomic():
        profile = _locked(name)
        found_users = list(User.objects.filter(pk__in=users))
        found_groups = list(Group.objects.filter(pk__in=groups))
        for what, wanted, found in (
            ("user", users, {row.pk for row in found_users}),
            ("group", groups, {row.pk for row in found_groups}),
        ):
            missing = [str(pk) for pk in wanted if pk not in found]
            if missing:
                raise NotFound(f"There is no {what} with the id {', '.join(missing)}")
        profile.users.set(found_users)
        profile.groups.set(found_groups)
        audit.record(
            credentials,
            "policy_profile.assign",
            f"policy_profile:{name}",
            users=sorted(user.uuid for user in found_users),
            groups=sorted(group.name for group in found_groups),
        )
    return profile


def remove(credentials: Credentials, *, name: str) -> None:
    """Delete a profile; raises ``NotFound``."""
    with atomic():
        _locked(name).delete()
        audit.record(credentials, "policy_profile.remove", f"policy_profile:{name}")


def find(*, name: str) -> AuthProviderPolicyProfile:
    """Return the profile called *name*; raises ``NotFound``."""
    profile = AuthProviderPolicyProfile.objects.filter(name=name).prefetch_related("users", "groups").first()
    if profile is None:
        raise NotFound(f"There is no policy profile '{name}'")
    return profile


def policies_of(profile: AuthProviderPolicyProfile) -> dict[str, bool | int]:
    """Return the policies that *profile* sets."""
    values = {name: getattr(profile, f"policy_{name}") for name in PROFILE_POLICIES}
    return {name: value for name, value in values.items() if value is not None}
