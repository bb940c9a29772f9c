"""Terms of use: their versions, who signed which (identity contract 4.4)."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nh3
from django.utils.translation import gettext as _

from astakos.models import ApprovalTerms, User
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, NotFound, ServiceUnavailable

MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the terms, without its text."""

    id: int
    date: dt.datetime
    sha256: str


@dataclass(frozen=True, slots=True)
class Document:
    """A version with its text as harmless HTML, and all versions there were, the newest first."""

    version: Version
    html: str
    is_current: bool
    history: Sequence[Version]


def current_id() -> int | None:
    """Return the id of the terms in force, ``None`` when there are none."""
    return ApprovalTerms.objects.order_by("-id").values_list("id", flat=True).first()


def unsigned_terms(user: User) -> bool:
    """Tell whether there are terms in force that *user* has not signed."""
    return not user.has_signed_terms and current_id() is not None


def show(*, terms_id: int | None = None) -> Document:
    """Return the terms *terms_id*, or those in force.

    Raises ``NotFound`` when there are none, ``ServiceUnavailable`` when the file of an old row is gone.
    """
    rows = list(ApprovalTerms.objects.order_by("-id").only("id", "date", "sha256"))
    chosen = next((row for row in rows if terms_id in (None, row.pk)), None)
    if chosen is None:
        raise NotFound(_("There are no terms of use"))
    return Document(
        version=_version(chosen),
        html=_harmless(_text(chosen)),
        is_current=chosen is rows[0],
        history=[_version(row) for row in rows],
    )


#: Elements whose content is no text for people.
_DROPPED = {"script", "style", "title", "head"}


#: The page has a main heading of its own.
_MAIN_HEADING = re.compile(r"(</?)h1\b", re.IGNORECASE)


def _harmless(html: str) -> str:
    below = _MAIN_HEADING.sub(r"\1h2", html)
    return nh3.clean(below, url_schemes={"http", "https", "mailto"}, clean_content_tags=_DROPPED)


def _version(row: ApprovalTerms) -> Version:
    return Version(row.pk, row.date, row.sha256)


def _text(row: ApprovalTerms) -> str:
    """Return what was stored; rows of earlier releases only name a file."""
    if row.text:
        return row.text
    try:
        return Path(row.location).read_bytes()[:MAX_BYTES].decode("utf-8", "replace")
    except (OSError, ValueError):
        raise ServiceUnavailable(_("The terms of use cannot be shown now")) from None


def add(credentials: Credentials, *, path: str) -> ApprovalTerms:
    """Put the HTML file *path* into force as the newest terms; everybody has to sign again.

    The text is stored, because the file may change. Raises ``BadRequest`` for an unusable file.
    """
    file = Path(path)
    try:
        raw = file.read_bytes() if file.is_file() else None
    except (OSError, ValueError):
        raw = None
    location = str(file.absolute())
    if raw is None or len(location) > 255:
        raise BadRequest(f"Invalid location: {path} is not a readable file")
    if not raw.strip() or len(raw) > MAX_BYTES:
        raise BadRequest(f"Invalid location: terms of use have 1 to {MAX_BYTES} bytes, {path} has {len(raw)}")
    try:
        text = raw.decode().replace("\0", "")
    except UnicodeDecodeError:
        raise BadRequest(f"Invalid location: {path} is not UTF-8") from None
    with atomic():
        row = ApprovalTerms.objects.create(
            date=clock.now(), location=location, text=text, sha256=hashlib.sha256(raw).hexdigest()
        )
        User.objects.filter(has_signed_terms=True).update(has_signed_terms=False)
        audit.record(credentials, "terms.add", f"terms:{row.pk}", sha256=row.sha256)
    return row


def mark_signed(user: User) -> None:
    """Note on a new or locked *user*, who is saved by the caller, that the terms in force are signed."""
    user.has_signed_terms = True
    user.date_signed_terms = clock.now()
    user.signed_terms_id = current_id()


def sign(credentials: Credentials, *, user_id: int, terms_id: int | None = None) -> User:
    """Let a user sign the terms in force.

    *terms_id* is the version the user has read; raises ``Conflict`` when it is not in force any more.
    """
    with atomic():
        try:
            user = lock_one(User.objects.filter(pk=user_id))
        except User.DoesNotExist:
            raise NotFound(f"User with ID {user_id} does not exist") from None
        # Read behind the lock: terms that come into force meanwhile then wait to unsign this user.
        if terms_id is not None and terms_id != current_id():
            raise Conflict(_("There are newer terms of use; please read them"))
        mark_signed(user)
        user.save(update_fields=["has_signed_terms", "date_signed_terms", "signed_terms", "updated"])
        audit.record(credentials, "user.sign_terms", f"user:{user.uuid}", terms=user.signed_terms_id)
    return user
