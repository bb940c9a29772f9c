"""The OAuth2 provider: authorization codes and the short-lived tokens they are exchanged for.

Only the authorization code flow exists (identity contract 1.9). Errors carry the code of RFC 6749 in
``data["error"]``.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings

from astakos.logic import authentication, oauth2_clients, redirect_uris
from astakos.logic.authentication import Identity
from astakos.models import OAuth2Client, OAuth2Code, OAuth2Token, User
from synnefo import audit, clock, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic
from synnefo.errors import BadRequest, NotFound, Unauthorized

_MAX_TEXT = 5000
_MAX_CODE = 255
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asks of a user; everything checked but the user's consent."""

    client: OAuth2Client
    redirect_uri: str
    scope: str
    state: str | None
    code_challenge: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A fresh access token in clear; ``expires_in`` counts seconds."""

    token: str
    token_type: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class AccessTokenInfo:
    """Whom an access token stands for, where and until when; ``scope`` is empty when it has none."""

    identity: Identity
    scope: str
    client: str
    created: dt.datetime
    expires: dt.datetime


def _invalid(error: str, text: str) -> BadRequest:
    return BadRequest(text, data={"error": error})


def read_request(
    parameters: Mapping[str, str], *, authorization: str = "", address: str = ""
) -> AuthorizationRequest:
    """Check an authorization request; raises ``BadRequest`` naming the parameter.

    *authorization* is the request's header of that name: clients that send it must be who they say.
    """
    kind = parameters.get("response_type", "")
    if kind != "code":
        error = "unsupported_response_type" if kind else "invalid_request"
        raise _invalid(error, "'response_type' must be 'code'")
    identifier = parameters.get("client_id", "")
    client = oauth2_clients.existing(identifier)
    if authorization:
        try:
            oauth2_clients.authenticate(identifier=identifier, authorization=authorization, address=address)
        except Unauthorized as error:
            raise _invalid("invalid_client", error.message) from error
    redirect_uri = _allowed_redirect(client, parameters.get("redirect_uri", ""))
    scope = (parameters.get("scope", "").split(" ")[0]) or parameters.get("redirect_uri") or redirect_uri
    state = parameters.get("state")
    for name, value in (("scope", scope), ("state", state or "")):
        _check_text(name, value)
    return AuthorizationRequest(client, redirect_uri, scope, state, _challenge(parameters))


def _check_text(name: str, value: str) -> None:
    if len(value) > _MAX_TEXT or "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise _invalid("invalid_request", f"'{name}' has more than {_MAX_TEXT} characters, or unusable ones")


def _challenge(parameters: Mapping[str, str]) -> str:
    challenge = parameters.get("code_challenge", "")
    if not challenge:
        return ""
    if parameters.get("code_challenge_method", "plain") != "S256":
        raise _invalid("invalid_request", "'code_challenge_method' must be 'S256'")
    if not _CHALLENGE.match(challenge):
        raise _invalid("invalid_request", "'code_challenge' must be a SHA-256 digest in base64url")
    return challenge


def _allowed_redirect(client: OAuth2Client, wanted: str) -> str:
    registered = list(client.redirect_urls.order_by("-is_default", "id").values_list("url", flat=True))
    if not wanted:
        if not registered:
            raise _invalid("invalid_request", "The client has no redirect URL")
        return registered[0]
    try:
        uri = redirect_uris.normalise(wanted)
    except BadRequest as error:
        raise _invalid("invalid_request", error.message) from error
    if not any(redirect_uris.matches(uri, allowed) for allowed in registered):
        raise _invalid("invalid_request", "'redirect_uri' is not registered for this client")
    return uri


def grant(credentials: Credentials, *, user: User, request: AuthorizationRequest) -> str:
    """Issue a code for *request* in the name of *user*; return where to send the browser."""
    code = _random_text(settings.OAUTH2_AUTHORIZATION_CODE_LENGTH)
    with atomic():
        oldest = clock.now() - dt.timedelta(seconds=settings.OAUTH2_CODE_EXPIRES)
        OAuth2Code.objects.filter(user=user, created_at__lte=oldest).delete()
        OAuth2Code.objects.create(
            user=user,
            client=request.client,
            code_digest=crypto.token_digest(code),
            redirect_uri=request.redirect_uri,
            scope=request.scope,
            state=request.state,
            code_challenge=request.code_challenge,
            created_at=clock.now(),
        )
        target = f"oauth2_client:{request.client.identifier}"
        audit.record(credentials, "oauth2.grant", target, scope=request.scope)
    return _answer(request, {"code": code})


def denial(request: AuthorizationRequest) -> str:
    """Return where to send the browser of a user who said no."""
    return _answer(request, {"error": "access_denied"})


def _answer(request: AuthorizationRequest, parameters: dict[str, str]) -> str:
    if request.state is not None:
        parameters["state"] = request.state
    return redirect_uris.with_parameters(request.redirect_uri, urlencode(parameters))


def _random_text(length: int) -> str:
    return secrets.token_urlsafe(length)[:length]


def exchange(parameters: Mapping[str, str], *, authorization: str, address: str) -> IssuedToken:
    """Exchange a code for an access token, once; of several exchanges at a time one wins.

    Raises ``BadRequest`` or ``Unauthorized`` with the RFC 6749 code in ``data["error"]``.
    """
    kind = parameters.get("grant_type", "")
    if kind != "authorization_code":
        error = "unsupported_grant_type" if kind else "invalid_request"
        raise _invalid(error, "'grant_type' must be 'authorization_code'")
    client = oauth2_clients.authenticate(
        identifier=parameters.get("client_id") or None, authorization=authorization, address=address
    )
    code = _code_of(client, parameters.get("code", ""))
    _check_bound_redirect(code, parameters.get("redirect_uri", ""))
    _check_verifier(code, parameters.get("code_verifier", ""))
    token, now = _random_text(settings.OAUTH2_TOKEN_LENGTH), clock.now()
    with atomic():
        if not OAuth2Code.objects.filter(pk=code.pk).delete()[0]:
            raise _invalid("invalid_grant", "'code' was used already")
        OAuth2Token.objects.filter(user=code.user, expires_at__lte=now).delete()
        issued = OAuth2Token.objects.create(
            user=code.user,
            client=client,
            code_digest=crypto.token_digest(token),
            created_at=now,
            expires_at=now + dt.timedelta(seconds=settings.OAUTH2_TOKEN_EXPIRES),
            redirect_uri=code.redirect_uri,
            scope=code.scope,
            state=code.state,
            access_token=code.access_token,
        )
        target = f"oauth2_client:{client.identifier}"
        audit.record(Credentials(user_id=code.user.uuid), "oauth2.exchange", target, scope=code.scope)
    return IssuedToken(token, issued.token_type, settings.OAUTH2_TOKEN_EXPIRES)


def _code_of(client: OAuth2Client, text: str) -> OAuth2Code:
    if not text:
        raise _invalid("invalid_request", "'code' is missing")
    oldest = clock.now() - dt.timedelta(seconds=settings.OAUTH2_CODE_EXPIRES)
    code = (
        OAuth2Code.objects.select_related("user")
        .filter(code_digest=crypto.token_digest(text), client=client, created_at__gt=oldest)
        .first()
        if len(text) <= _MAX_CODE
        else None
    )
    if code is None or not code.user.is_active:
        raise _invalid("invalid_grant", "'code' is unknown, used or expired")
    return code


def _check_bound_redirect(code: OAuth2Code, given: str) -> None:
    try:
        uri = redirect_uris.normalise(given) if given else _allowed_redirect(code.client, "")
    except BadRequest as error:
        raise _invalid("invalid_grant", error.message) from error
    if uri != code.redirect_uri:
        raise _invalid("invalid_grant", "'redirect_uri' is not the one that the code was sent to")


def _check_verifier(code: OAuth2Code, verifier: str) -> None:
    if not code.code_challenge and not verifier:
        return
    computed = _challenge_of(verifier)
    if not _VERIFIER.match(verifier) or not crypto.constant_time_equal(computed, code.code_challenge):
        raise _invalid("invalid_grant", "'code_verifier' does not fit the code")


def _challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def basic_authorization(identifier: str, secret: str) -> str:
    """Return the ``Authorization`` header of a client."""
    return "Basic " + base64.b64encode(f"{identifier}:{secret}".encode()).decode()


def authorization_url(*, client: str, redirect_uri: str, scope: str, state: str, verifier: str = "") -> str:
    """Return the address of the authorization endpoint with a request for a code.

    A code for a *verifier* can be used by who knows that only.
    """
    parts = (
        settings.ASTAKOS_BASE_URL,
        settings.OAUTH2_ENDPOINT_PREFIX,
        settings.OAUTH2_AUTHORIZATION_ENDPOINT,
    )
    fields = {
        "response_type": "code", "client_id": client, "redirect_uri": redirect_uri, "scope": scope,
        "state": state,
    }  # fmt: skip
    if verifier:
        fields |= {"code_challenge": _challenge_of(verifier), "code_challenge_method": "S256"}
    return f"{'/'.join(part.strip('/') for part in parts if part.strip('/'))}?{urlencode(fields)}"


def validate_access_token(*, token: str, belongs_to: str | None) -> AccessTokenInfo:
    """Return whom *token* stands for; *belongs_to* must be its scope or below (identity contract 1.4).

    A token without a scope belongs nowhere. Expired tokens are deleted on sight. Raises ``NotFound``.
    """
    row = None
    if 1 <= len(token) <= _MAX_CODE:
        digest = crypto.token_digest(token)
        row = OAuth2Token.objects.select_related("client").filter(code_digest=digest).first()
    if row is None:
        raise NotFound("No such token")
    if row.expires_at <= clock.now():
        row.delete()
        raise NotFound("Token has expired")
    if belongs_to is not None and not _is_within(belongs_to, row.scope):
        raise NotFound("The token does not belong there")
    try:
        identity = authentication.identity_of(row.user_id)
    except Unauthorized as error:
        raise NotFound("No such token") from error
    return AccessTokenInfo(
        identity=identity,
        scope=row.scope or "",
        client=row.client.identifier,
        created=row.created_at,
        expires=row.expires_at,
    )


def _is_within(path: str, scope: str | None) -> bool:
    if not scope:
        return False
    return path == scope or path.startswith(scope.rstrip("/") + "/")


def delete_expired() -> int:
    """Delete codes and tokens whose time is over and return how many there were."""
    now = clock.now()
    oldest = now - dt.timedelta(seconds=settings.OAUTH2_CODE_EXPIRES)
    codes = OAuth2Code.objects.filter(created_at__lte=oldest).delete()[0]
    return codes + OAuth2Token.objects.filter(expires_at__lte=now).delete()[0]
