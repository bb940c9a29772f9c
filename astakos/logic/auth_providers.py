"""Which login methods there are, for whom, and what each user may do with them (identity contract 4.5).

A policy's value comes from the settings of the module, the settings for all modules, the module and the
class, in this order; active profiles of the user and then of the groups replace it; what the account has
already may still forbid it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.utils.translation import gettext as _

from astakos.logic.provider_modules import CLASS_DEFAULTS, MODULES, ProviderModule
from astakos.models import AuthProviderPolicyProfile, TotpDevice, User, UserAuthProvider
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound

#: Policies that a profile may set.
PROFILE_POLICIES = ("add", "remove", "create", "login", "limit", "required", "automoderate")
MAX_IDENTIFIER_LENGTH = 255
MAX_AFFILIATION_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Policies:
    """What one user, or a visitor, may do with one login method."""

    login: bool
    create: bool
    add: bool
    remove: bool
    limit: int
    switch: bool
    required: bool
    autoverify: bool
    automoderate: bool
    add_groups: tuple[str, ...]
    creation_groups: tuple[str, ...]
    mirror_groups: bool


@dataclass(frozen=True, slots=True)
class Provider:
    """An enabled login method as one user, or a visitor, sees it; texts are in the visitor's language."""

    module: str
    title: str
    login_title: str
    login_prompt: str
    description: str
    method_prompt: str
    add_prompt: str
    login_disabled: str
    create_disabled: str
    icon: str
    policy: Policies
    is_primary: bool = False

    @property
    def needs_redirect(self) -> bool:
        """Tell whether logging in leads to another server, not to a form of this one."""
        return self.module not in ("local", "ldap")


@dataclass(frozen=True, slots=True)
class Method:
    """A login method that a user has; ``can_*`` say what the profile page offers."""

    id: int
    provider: Provider
    identifier: str
    affiliation: str
    details: str
    last_login_at: Any
    can_remove: bool
    can_switch: bool


@dataclass(frozen=True, slots=True)
class UserMethods:
    """A user's login methods for the profile page: usable, not usable now, and what may be added."""

    enabled: tuple[Method, ...]
    disabled: tuple[Method, ...]
    available: tuple[Provider, ...]


# -- policies ----------------------------------------------------------------------------------------------


def enabled_modules() -> tuple[str, ...]:
    """Return the modules of ``ASTAKOS_IM_MODULES`` in their order; raises ``ValueError`` for unknown ones."""
    modules = tuple(dict.fromkeys(settings.ASTAKOS_IM_MODULES))
    unknown = [module for module in modules if module not in MODULES]
    if unknown:
        raise ValueError(
            f"ASTAKOS_IM_MODULES names unknown login methods: {', '.join(map(str, unknown))}; "
            f"there are {', '.join(MODULES)}"
        )
    return modules


def is_enabled(module: str) -> bool:
    """Tell whether people can log in with *module*."""
    return module in enabled_modules()


def _configured(definition: ProviderModule, policy: str) -> Any:
    """Return the value of *policy* before profiles and the state of an account."""
    own = getattr(
        settings, f"ASTAKOS_AUTH_PROVIDER_{definition.module.upper()}_{policy.upper()}_POLICY", None
    )
    if own is not None:
        return own
    common = getattr(settings, f"ASTAKOS_AUTH_PROVIDERS_{policy.upper()}_POLICY", None)
    if common is not None:
        return common
    if policy == "automoderate":
        return not settings.ASTAKOS_MODERATION_ENABLED
    return definition.defaults.get(policy, CLASS_DEFAULTS[policy])


def _configured_policies(module: str, profiles: Iterable[AuthProviderPolicyProfile]) -> Policies:
    definition = MODULES[module]
    values = {name: _configured(definition, name) for name in Policies.__dataclass_fields__}
    for profile in profiles:
        if (profile.provider == module) is profile.is_exclusive:
            continue
        for name in PROFILE_POLICIES:
            value = getattr(profile, f"policy_{name}")
            if value is not None:
                values[name] = value
    for name in ("add_groups", "creation_groups"):
        values[name] = tuple(values[name])
    return Policies(**values)


def profiles_of(user: User) -> list[AuthProviderPolicyProfile]:
    """Return the active profiles of *user* in the order in which they apply: own ones, then of groups."""
    active = AuthProviderPolicyProfile.objects.filter(active=True)
    own = list(active.filter(users=user).order_by("priority", "id"))
    of_groups = list(active.filter(groups__user=user).distinct().order_by("priority", "id"))
    return [*own, *of_groups]


def _restricted(policies: Policies, module: str, rows: Sequence[UserAuthProvider]) -> Policies:
    """Return *policies* as far as the login methods that the account has allow them."""
    active = [row for row in rows if row.active]
    add = policies.add and sum(row.module == module for row in active) < policies.limit
    remove = policies.remove and len(active) > 1
    # Who may not add another identifier and could not remove this one either has no way but switching.
    switch = policies.switch and (add or not remove)
    return replace(policies, add=add, remove=remove, switch=switch)


def _texts(definition: ProviderModule, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the texts by setting name in lower case, each as the settings say, with *fields* in them."""
    title = str(
        getattr(settings, f"ASTAKOS_AUTH_PROVIDER_{definition.module.upper()}_TITLE", definition.title)
    )
    known = {
        "module": definition.module,
        "title": title,
        "service": settings.BRANDING_SERVICE_NAME,
        "identifier": "",
        "username": "",
        **fields,
    }
    texts = {}
    for name, default in definition.texts().items():
        text = str(getattr(settings, f"ASTAKOS_AUTH_PROVIDER_{definition.module.upper()}_{name}", default))
        for field, value in known.items():
            # Not str.format, with which a setting could reach into the values.
            text = text.replace(f"{{{field}}}", value)
        texts[name.lower()] = text
    return texts


def _provider(
    module: str, profiles: Iterable[AuthProviderPolicyProfile], rows: Sequence[UserAuthProvider] | None
) -> Provider:
    definition = MODULES[module]
    policies = _configured_policies(module, profiles)
    if rows is not None:
        policies = _restricted(policies, module, rows)
    mine = next((row for row in rows or () if row.module == module), None)
    texts = _texts(
        definition,
        {"identifier": mine.identifier, "username": str(mine.info_data.get("username", ""))} if mine else {},
    )
    description = texts.pop("login_description")
    return Provider(
        module=module,
        description=description,
        icon=definition.icon,
        policy=policies,
        is_primary=enabled_modules()[:1] == (module,),
        **texts,
    )


def enabled() -> list[Provider]:
    """Return the enabled login methods as a visitor sees them; the first is the primary one."""
    return [_provider(module, (), None) for module in enabled_modules()]


def provider(module: str, *, user: User | None = None) -> Provider:
    """Return one enabled login method with the policies of *user*, or of a visitor.

    Raises ``NotFound`` when *module* is not enabled.
    """
    if not is_enabled(module):
        raise NotFound(_("There is no login method '%(module)s'") % {"module": module[:64]})
    if user is None:
        return _provider(module, (), None)
    return _provider(module, profiles_of(user), list(user.auth_providers.all()))


def may_log_in(user: User, module: str) -> bool:
    """Tell whether the policies let *user* log in with *module*."""
    return is_enabled(module) and provider(module, user=user).policy.login


def identifier_taken(*, module: str, identifier: str, besides: User | None = None) -> bool:
    """Tell whether another verified user logs in with *identifier*."""
    owners = UserAuthProvider.objects.filter(
        module=module, identifier=identifier, active=True, user__email_verified=True
    )
    if besides is not None:
        owners = owners.exclude(user=besides)
    return bool(identifier) and owners.exists()


# -- a user's methods --------------------------------------------------------------------------------------


def _details(row: UserAuthProvider) -> str:
    """Return how the user recognises the method: a name at the provider, else the identifier."""
    info = row.info_data if isinstance(row.info_data, dict) else {}
    known = (str(info[key]) for key in ("screen_name", "email", "eppn", "username", "name") if info.get(key))
    return next(known, row.identifier)


def user_methods(user: User) -> UserMethods:
    """Return the login methods of *user* in three lists; three queries."""
    rows = list(user.auth_providers.all())
    profiles = profiles_of(user)
    providers = {module: _provider(module, profiles, rows) for module in enabled_modules()}
    lists: dict[bool, list[Method]] = {True: [], False: []}
    for row in rows:
        found = providers.get(row.module)
        usable = found is not None and row.active and found.policy.login
        if found is None and row.module not in MODULES:
            continue
        shown = found or _provider(row.module, profiles, rows)
        method = Method(
            id=row.pk,
            provider=shown,
            identifier=row.identifier,
            affiliation=row.affiliation,
            details=_details(row),
            last_login_at=row.last_login_at,
            can_remove=shown.policy.remove,
            can_switch=usable and shown.policy.switch and shown.needs_redirect,
        )
        lists[usable].append(method)
    available = tuple(item for item in providers.values() if item.policy.add)
    return UserMethods(tuple(lists[True]), tuple(lists[False]), available)


def missing_required(user: User) -> list[Provider]:
    """Return the login methods that policy requires of *user* and the account lacks."""
    rows = list(user.auth_providers.all())
    profiles = profiles_of(user)
    present = {row.module for row in rows if row.active}
    absent = [module for module in enabled_modules() if module not in present]
    providers = [_provider(module, profiles, rows) for module in absent]
    return [item for item in providers if item.policy.required]


# -- changes -----------------------------------------------------------------------------------------------


def _locked_user(user_id: int) -> User:
    try:
        return lock_one(User.objects.filter(pk=user_id))
    except User.DoesNotExist:
        raise NotFound(f"User with ID {user_id} does not exist") from None


def _check_identifier(module: str, identifier: str) -> None:
    if module == "local" and identifier:
        raise BadRequest("A local login has no identifier")
    if module != "local" and not 1 <= len(identifier) <= MAX_IDENTIFIER_LENGTH:
        raise BadRequest(f"An identifier has 1 to {MAX_IDENTIFIER_LENGTH} characters")


def attach(
    user: User,
    *,
    module: str,
    identifier: str = "",
    info: Mapping[str, Any] | None = None,
    affiliation: str = "",
) -> UserAuthProvider:
    """Give a locked or new *user* a login method, with no look at policies; the groups of ADD join.

    For sign-up and for ``add_method``; the caller owns the transaction.
    """
    _check_identifier(module, identifier)
    row, _created = UserAuthProvider.objects.update_or_create(
        user=user,
        module=module,
        identifier=identifier,
        defaults={
            "active": True,
            "info_data": dict(info or {}),
            "affiliation": affiliation[:MAX_AFFILIATION_LENGTH],
        },
        create_defaults={
            "active": True,
            "info_data": dict(info or {}),
            "affiliation": affiliation[:MAX_AFFILIATION_LENGTH],
            "created": clock.now(),
        },
    )
    join_groups(user, _configured_policies(module, ()).add_groups)
    return row


def join_creation_groups(user: User, module: str) -> None:
    """Put a user who signs up with *module* into the groups that policy names; they stay for good."""
    join_groups(user, _configured_policies(module, ()).creation_groups)


def join_groups(user: User, names: Iterable[str]) -> None:
    """Put *user* into the groups called *names*, made when they do not exist."""
    groups = [Group.objects.get_or_create(name=name[:150])[0] for name in names]
    if groups:
        user.groups.add(*groups)


def add_method(
    credentials: Credentials,
    *,
    user_id: int,
    module: str,
    identifier: str = "",
    info: Mapping[str, Any] | None = None,
    affiliation: str = "",
) -> UserAuthProvider:
    """Add a login method to an account.

    Raises ``Forbidden`` when policy or the limit says no, ``Conflict`` when another verified user has the
    identifier, ``NotFound`` for a method that is not enabled.
    """
    with atomic():
        user = _locked_user(user_id)
        chosen = provider(module, user=user)
        if identifier_taken(module=module, identifier=identifier, besides=user):
            raise Conflict(_("Another account already uses this %(title)s login") % {"title": chosen.title})
        if not chosen.policy.add:
            raise Forbidden(_("You may not add a %(title)s login") % {"title": chosen.title})
        row = attach(user, module=module, identifier=identifier, info=info, affiliation=affiliation)
        audit.record(
            credentials, "user.add_login_method", f"user:{user.uuid}", module=module, identifier=identifier
        )
    return row


def remove_method(credentials: Credentials, *, method_id: int, user_id: int) -> str:
    """Remove a login method and return its module; groups that only it gave are left.

    Removing ``local`` makes the password unusable. Raises ``NotFound`` for what is not the user's,
    ``Forbidden`` when policy says no or it is the last one.
    """
    with atomic():
        user = _locked_user(user_id)
        rows = list(user.auth_providers.all())
        row = next((row for row in rows if row.pk == method_id), None)
        if row is None:
            raise NotFound(_("The account has no such login method"))
        policies = _configured_policies(row.module, profiles_of(user)) if row.module in MODULES else None
        others = [other for other in rows if other.active and other.pk != row.pk]
        if not others or (policies is not None and not policies.remove):
            raise Forbidden(_("This login method may not be removed"))
        row.delete()
        _leave_groups(user, row.module, [other.module for other in others])
        if row.module == "local":
            user.set_unusable_password()
            user.save(update_fields=["password", "updated"])
            _forget_second_factors(user)
        audit.record(
            credentials,
            "user.remove_login_method",
            f"user:{user.uuid}",
            module=row.module,
            identifier=row.identifier,
        )
    return row.module


def _leave_groups(user: User, module: str, remaining: Iterable[str]) -> None:
    if module not in MODULES:
        return
    kept = {
        name for other in remaining if other in MODULES for name in _configured_policies(other, ()).add_groups
    }
    names = [name for name in _configured_policies(module, ()).add_groups if name not in kept]
    if names:
        user.groups.remove(*Group.objects.filter(name__in=names))


def _forget_second_factors(user: User) -> None:
    """Second factors guard the password; with another password they are set up anew."""
    user.passkeys.all().delete()
    user.recovery_codes.all().delete()
    TotpDevice.objects.filter(user=user).delete()


def switch_method(
    credentials: Credentials,
    *,
    user_id: int,
    method_id: int,
    identifier: str,
    info: Mapping[str, Any] | None = None,
    affiliation: str = "",
) -> UserAuthProvider:
    """Replace the identifier of a login method by another of the same module.

    Raises ``NotFound`` for what is not the user's, ``Conflict`` when another verified user has the
    identifier, ``Forbidden`` when policy says no.
    """
    with atomic():
        user = _locked_user(user_id)
        row = user.auth_providers.filter(pk=method_id).first()
        if row is None:
            raise NotFound(_("The account has no such login method"))
        _check_identifier(row.module, identifier)
        chosen = provider(row.module, user=user)
        if identifier_taken(module=row.module, identifier=identifier, besides=user):
            raise Conflict(_("Another account already uses this %(title)s login") % {"title": chosen.title})
        if not chosen.policy.switch:
            raise Forbidden(_("You may not replace your %(title)s login") % {"title": chosen.title})
        if user.auth_providers.filter(module=row.module, identifier=identifier).exclude(pk=row.pk).exists():
            raise Conflict(_("Your account already has this %(title)s login") % {"title": chosen.title})
        before, row.identifier = row.identifier, identifier
        row.info_data, row.affiliation = dict(info or {}), affiliation[:MAX_AFFILIATION_LENGTH]
        row.active = True
        row.save()
        audit.record(
            credentials,
            "user.switch_login_method",
            f"user:{user.uuid}",
            module=row.module,
            identifier=identifier,
            before=before,
        )
    return row


def owner_of(*, module: str, identifier: str) -> UserAuthProvider | None:
    """Return the method of the verified user who logs in with *identifier*, with the user."""
    return (
        UserAuthProvider.objects.select_related("user")
        .filter(active=True, module=module, identifier=identifier, user__email_verified=True)
        .first()
    )
