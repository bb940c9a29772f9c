"""The programs that may ask for OAuth2 tokens (identity contract 1.9, 7)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from django.conf import settings

from astakos.logic import redirect_uris
from astakos.models import OAuth2Client, OAuth2RedirectUrl
from synnefo import audit, crypto, rate_limit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic
from synnefo.errors import BadRequest, Conflict, NotFound, TooManyRequests, Unauthorized

_MAX_IDENTIFIER = 255
_MAX_SECRET = 255
#: A keyed digest: fast, so that nobody can keep the workers busy hashing, and useless without SECRET_KEY.
_SCHEME = "keyed$"
_FAILURES_PER_MINUTE = 30


@dataclass(frozen=True, slots=True)
class AddedClient:
    """A registered client, and the addresses that were left out because they cannot be used."""

    client: OAuth2Client
    ignored_urls: tuple[str, ...]


def add(
    credentials: Credentials,
    *,
    identifier: str,
    urls: Sequence[str],
    secret: str | None = None,
    is_public: bool = False,
    is_trusted: bool = False,
) -> AddedClient:
    """Register a client whose answers may go to *urls* and below; the first is the default.

    Over-long addresses are left out. Raises ``Conflict`` for a known identifier, ``BadRequest`` for a
    confidential client without a secret, for an unusable address, or when none is left.
    """
    if not 1 <= len(identifier) <= _MAX_IDENTIFIER or not identifier.isprintable() or ":" in identifier:
        raise BadRequest(f"An identifier has 1 to {_MAX_IDENTIFIER} printable characters and no colon")
    if not is_public and not 1 <= len(secret or "") <= _MAX_SECRET:
        raise BadRequest(f"A confidential client needs a secret of 1 to {_MAX_SECRET} characters")
    limit = settings.OAUTH2_MAXIMUM_ALLOWED_REDIRECT_URI_LENGTH
    ignored = tuple(url for url in urls if len(url) > limit)
    usable = list(dict.fromkeys(redirect_uris.normalise(url) for url in urls if url not in ignored))
    if not usable:
        raise BadRequest("Give at least one redirect URL")
    with atomic():
        if OAuth2Client.objects.filter(identifier=identifier).exists():
            raise Conflict(f"OAuth2 client '{identifier}' exists already")
        client = OAuth2Client.objects.create(
            name=identifier[:100],
            identifier=identifier,
            secret=_digest(secret) if secret else None,
            type=OAuth2Client.Type.PUBLIC if is_public else OAuth2Client.Type.CONFIDENTIAL,
            is_trusted=is_trusted,
        )
        OAuth2RedirectUrl.objects.bulk_create(
            OAuth2RedirectUrl(client=client, url=url, is_default=number == 0)
            for number, url in enumerate(usable)
        )
        audit.record(credentials, "oauth2_client.add", f"oauth2_client:{identifier}", trusted=is_trusted)
    return AddedClient(client, ignored)


def find(text: str) -> OAuth2Client:
    """Return the client with this identifier or id; raises ``NotFound``."""
    found = OAuth2Client.objects.filter(identifier=text).first()
    if found is None and text.isascii() and text.isdigit() and len(text) < 19:
        found = OAuth2Client.objects.filter(pk=int(text)).first()
    if found is None:
        raise NotFound(f"OAuth2 client '{text[:100]}' does not exist; oauth2-client-list shows those that do")
    return found


def remove(credentials: Credentials, *, client_id: int) -> None:
    """Remove a client with its codes and tokens."""
    with atomic():
        client = OAuth2Client.objects.filter(pk=client_id).first()
        if client is None:
            raise NotFound("The OAuth2 client does not exist any more")
        audit.record(credentials, "oauth2_client.remove", f"oauth2_client:{client.identifier}")
        client.delete()


def authenticate(*, identifier: str | None, authorization: str, address: str) -> OAuth2Client:
    """Return the client that an ``Authorization`` header, or *identifier* for a public one, stands for.

    *address* is where the request comes from; it is shut out for a while after many wrong secrets. Raises
    ``Unauthorized`` or ``BadRequest`` with the RFC 6749 code in ``data["error"]``.
    """
    if not authorization:
        client = _by_identifier(identifier or "")
        if client is None or client.type != OAuth2Client.Type.PUBLIC:
            raise _unknown("The client must authenticate")
        return client
    key = f"oauth2-client:{address}"
    failures = rate_limit.attempts(key, limit=_FAILURES_PER_MINUTE)
    if failures.count >= failures.limit:
        raise TooManyRequests("Too many wrong client secrets", retry_after=failures.retry_after)
    name, secret = _basic(authorization)
    if identifier and identifier != name:
        raise BadRequest("'client_id' is not who authenticates", data={"error": "invalid_request"})
    client = _by_identifier(name)
    stored = client.secret if client is not None else None
    # The same work whether the client exists or not.
    if not crypto.constant_time_equal(stored or _digest(""), _digest(secret)) or not stored:
        rate_limit.count_attempt(key, limit=_FAILURES_PER_MINUTE)
        raise _unknown("The client is unknown or its secret is wrong")
    assert client is not None
    return client


def _by_identifier(identifier: str) -> OAuth2Client | None:
    if len(identifier) > _MAX_IDENTIFIER or "\0" in identifier:
        return None
    return OAuth2Client.objects.filter(identifier=identifier).first()


def existing(identifier: str) -> OAuth2Client:
    """Return the client of an authorization request; raises ``BadRequest`` when there is none."""
    client = _by_identifier(identifier) if identifier else None
    if client is None:
        raise BadRequest("'client_id' names no client of this site", data={"error": "invalid_request"})
    return client


def _digest(secret: str) -> str:
    return _SCHEME + crypto.token_digest(f"oauth2-client:{secret}")


def _unknown(text: str) -> Unauthorized:
    error = Unauthorized(text, data={"error": "invalid_client"})
    error.headers["WWW-Authenticate"] = 'Basic realm="oauth2"'
    return error


def _basic(header: str) -> tuple[str, str]:
    """Return identifier and secret of a Basic header, which RFC 6749 wants form-encoded inside."""
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        raise _unknown("The client must authenticate by HTTP Basic")
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _unknown("The Authorization header is not valid") from None
    name, colon, secret = text.partition(":")
    if not colon:
        raise _unknown("The Authorization header is not valid")
    # Old clients send both as they are; a decoded name never has the signs that encoding leaves.
    if "%" in name or "%" in secret:
        decoded = unquote_plus(name), unquote_plus(secret)
        if _knows(*decoded):
            return decoded
    return name, secret


def _knows(name: str, secret: str) -> bool:
    client = _by_identifier(name)
    return bool(client and client.secret and crypto.constant_time_equal(client.secret, _digest(secret)))
