"""Making users, finding them, translating between uuids and e-mail addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower

from astakos.logic import tokens
from astakos.models import ApprovalTerms, EmailChange, User, UserAuthProvider
from synnefo import audit, clock, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, NotFound

MAX_NAME_LENGTH = 30
MAX_PASSWORD_LENGTH = 4096
MAX_CATALOG_ITEMS = 1000
#: Fits in every database's limit of parameters.
_CHUNK = 500
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class UserCatalog:
    """A translation between public ids and e-mail addresses; what is unknown is absent."""

    emails_by_uuid: dict[str, str]
    uuids_by_email: dict[str, str]


def normalized_email(email: str) -> str:
    """Return *email* as it is stored; raises ``BadRequest`` for what is not an address."""
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError:
        raise BadRequest(f"'{email[:100]}' is not a valid e-mail address") from None
    if len(email) > 255:
        raise BadRequest("An e-mail address has at most 255 characters")
    return email.lower()


def check_email_is_free(email: str, *, besides: int = 0) -> None:
    """Raise ``Conflict`` when another account has the address, in any case."""
    others = User.objects.exclude(pk=besides)
    if (
        others.filter(username=email).exists()
        or with_email(email).exclude(pk=besides).filter(email_verified=True).exists()
    ):
        raise Conflict(f"There is already a user with the e-mail address {email}")


def with_email(email: str) -> QuerySet[User]:
    """Return the users with this lower-cased address; for verified ones an index answers."""
    return User.objects.annotate(lowered_email=Lower("email")).filter(lowered_email=email)


def check_name(value: str, what: str) -> str:
    """Return the name *value*; raises ``BadRequest`` for an unusable one, calling it *what*."""
    if not 1 <= len(value) <= MAX_NAME_LENGTH or not value.isprintable():
        raise BadRequest(f"The {what} must have 1 to {MAX_NAME_LENGTH} printable characters")
    return value


def create(
    credentials: Credentials,
    *,
    email: str,
    first_name: str,
    last_name: str,
    password: str | None,
    admin: bool = False,
    groups: Sequence[str] = (),
    permissions: Sequence[str] = (),
    token: str | None = None,
) -> User:
    """Create an unverified, inactive user who logs in with *password*, or only elsewhere when ``None``.

    Terms count as signed when there are none. Raises ``BadRequest``, ``Conflict`` for a known address,
    ``NotFound`` for an unknown group.
    """
    email = normalized_email(email)
    if password is not None and not 1 <= len(password) <= MAX_PASSWORD_LENGTH:
        raise BadRequest(f"A password has 1 to {MAX_PASSWORD_LENGTH} characters")
    now = clock.now()
    level = settings.ASTAKOS_DEFAULT_USER_LEVEL
    user = User(
        username=email,
        email=email,
        first_name=check_name(first_name, "first name"),
        last_name=check_name(last_name, "last name"),
        is_superuser=admin,
        level=level,
        invitations=settings.ASTAKOS_INVITATIONS_PER_LEVEL.get(level, 0),
        verification_code=crypto.new_token(),
        date_joined=now,
    )
    # Hashing takes long on purpose, so it happens before the transaction.
    user.set_password(password)
    with atomic():
        check_email_is_free(email)
        if token is not None:
            tokens.check_chosen_token(token)
        tokens.set_user_token(user, token or tokens.unused_token())
        if not ApprovalTerms.objects.exists():
            user.has_signed_terms, user.date_signed_terms = True, now
        user.save()
        UserAuthProvider.objects.create(user=user, module="local", created=now)
        user.groups.add(*(find_group(name) for name in groups))
        user.user_permissions.add(*(find_permission(name, create=True) for name in permissions))
        audit.record(credentials, "user.add", f"user:{user.uuid}", admin=admin, groups=list(groups))
    return user


def find_group(name: str) -> Group:
    """Return the group called *name*; raises ``NotFound``."""
    group = Group.objects.filter(name=name).first()
    if group is None:
        raise NotFound(f"Group {name} does not exist. Use group-list to find out available groups.")
    return group


def find_permission(codename: str, *, create: bool = False) -> Permission:
    """Return a permission on the user model, made when unknown and *create*; raises ``NotFound``."""
    content_type = ContentType.objects.get_for_model(User)
    permission = Permission.objects.filter(content_type=content_type, codename=codename).first()
    if permission is None and create:
        if not 1 <= len(codename) <= 100:
            raise BadRequest("A permission has 1 to 100 characters")
        permission = Permission.objects.create(content_type=content_type, codename=codename, name=codename)
    if permission is None:
        raise NotFound(f"Permission {codename} does not exist")
    return permission


def find(text: str, *, by_email: bool = True) -> User:
    """Return the user with this id, uuid or, if *by_email*, e-mail address; raises ``NotFound``."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        found = User.objects.filter(pk=int(text)).first()
    elif "@" in text:
        found = User.objects.filter(username=text.lower()).first() if by_email else None
    else:
        found = User.objects.filter(uuid=text.lower()).first()
    if found is None:
        raise NotFound(f"User with ID {text} does not exist. Use user-list to find out available user IDs.")
    return found


def catalog(*, uuids: Iterable[str] = (), emails: Iterable[str] = ()) -> UserCatalog:
    """Translate *uuids* and *emails*; the caller's spelling of an address is kept."""
    by_uuid: dict[str, str] = {}
    by_email: dict[str, str] = {}
    for chunk in _chunks(list(dict.fromkeys(uuids))):
        by_uuid.update(User.objects.filter(uuid__in=chunk).values_list("uuid", "username"))
    spellings = list(dict.fromkeys(emails))
    for chunk in _chunks(spellings):
        rows = User.objects.filter(username__in={text.lower() for text in chunk}).values_list(
            "username", "uuid"
        )
        found = dict(rows)
        by_email.update((text, found[text.lower()]) for text in chunk if text.lower() in found)
    return UserCatalog(by_uuid, by_email)


def everybody() -> Iterator[tuple[str, str]]:
    """Yield uuid and display name of all users by id: a query and that much memory for each batch."""
    last = 0
    while batch := list(
        User.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "uuid", "username")[:_BATCH]
    ):
        yield from ((uuid, username) for _key, uuid, username in batch)
        last = batch[-1][0]


def active_ids() -> Iterator[int]:
    """Yield the ids of all active users, a batch in memory."""
    last = 0
    while batch := list(
        User.objects.filter(pk__gt=last, is_active=True).order_by("pk").values_list("pk", flat=True)[:_BATCH]
    ):
        yield from batch
        last = batch[-1]


def _chunks(items: list[str]) -> Iterable[list[str]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))


def set_email(credentials: Credentials, *, user_id: int, email: str) -> User:
    """Change a user's address and with it the login name; raises ``Conflict`` when another has it."""
    email = normalized_email(email)
    with atomic():
        try:
            user = lock_one(User.objects.filter(pk=user_id))
        except User.DoesNotExist:
            raise NotFound(f"User with ID {user_id} does not exist") from None
        check_email_is_free(email, besides=user_id)
        user.email = user.username = email
        try:
            with transaction.atomic():
                user.save(update_fields=["email", "username", "updated"])
        except IntegrityError as error:
            raise Conflict(f"There is already a user with the e-mail address {email}") from error
        EmailChange.objects.filter(user=user).delete()
        audit.record(credentials, "user.set_email", f"user:{user.uuid}")
    return user


def add_group(credentials: Credentials, *, name: str) -> bool:
    """Make sure a group exists and return whether it is new; raises ``BadRequest`` for an unusable name."""
    if not 1 <= len(name) <= 150 or not name.isprintable():
        raise BadRequest("A group name has 1 to 150 printable characters")
    with atomic():
        _, created = Group.objects.get_or_create(name=name)
        if created:
            audit.record(credentials, "group.add", f"group:{name}")
    return created
