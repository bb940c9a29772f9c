"""Google, LinkedIn and any OpenID Connect provider, and X (Twitter) by OAuth 2.0 (identity contract 4.5).

Built on the backends of social-auth-core, which make and check state, nonce, PKCE and id token; its pipeline
and tables are not used: who somebody is goes to ``third_party``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from astakos.logic.auth_providers import MAX_IDENTIFIER_LENGTH
from astakos.logic.external_identity import (
    ExternalIdentity,
    attribute_map,
    forced_fields,
    kept_attributes,
    mapped_fields,
    split_name,
)
from synnefo.errors import BadRequest, Forbidden, ServiceUnavailable

if TYPE_CHECKING:
    from social_core.backends.oauth import BaseOAuth2

log = logging.getLogger("astakos.social")

MODULES = ("google", "linkedin", "twitter", "oidc")
_MAX_INFO_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class _Client:
    """What this service is to one provider."""

    key: str
    secret: str
    scopes: tuple[str, ...]
    issuer: str = ""


def _client(module: str) -> _Client:
    """Return the configured client of *module*; raises ``ImproperlyConfigured`` naming what is missing."""
    names = {
        "google": ("ASTAKOS_GOOGLE_CLIENT_ID", "ASTAKOS_GOOGLE_SECRET", "ASTAKOS_GOOGLE_ISSUER"),
        "linkedin": ("ASTAKOS_LINKEDIN_TOKEN", "ASTAKOS_LINKEDIN_SECRET", "ASTAKOS_LINKEDIN_ISSUER"),
        "twitter": ("ASTAKOS_TWITTER_TOKEN", "ASTAKOS_TWITTER_SECRET", "ASTAKOS_TWITTER_TOKEN_URL"),
        "oidc": ("ASTAKOS_OIDC_CLIENT_ID", "ASTAKOS_OIDC_SECRET", "ASTAKOS_OIDC_ISSUER"),
    }[module]
    missing = [name for name in names if not getattr(settings, name)]
    if missing:
        raise ImproperlyConfigured(f"the login method '{module}' needs the settings {', '.join(missing)}")
    key, secret, issuer = (getattr(settings, name) for name in names)
    scopes = {
        "oidc": tuple(settings.ASTAKOS_OIDC_SCOPES),
        "twitter": ("users.read", "tweet.read"),
    }.get(module, ("openid", "profile", "email"))
    return _Client(key, secret, scopes, issuer.rstrip("/"))


def check_configuration(module: str) -> None:
    """Raise ``ImproperlyConfigured`` when a setting that *module* needs is empty."""
    _client(module)


def begin(module: str, *, session: MutableMapping[str, Any], redirect_uri: str) -> str:
    """Return the provider's URL that asks the person; what the answer must fit is kept in *session*.

    Raises ``ServiceUnavailable`` when the provider does not answer.
    """
    backend = _backend(module, session, {}, redirect_uri)
    with _errors(module):
        return str(backend.auth_url())


def complete(
    module: str, *, session: MutableMapping[str, Any], data: Mapping[str, str], redirect_uri: str
) -> ExternalIdentity:
    """Return who the provider says the person is, from its answer *data*.

    Raises ``Forbidden`` when the person declined, ``BadRequest`` for an answer that does not fit what was
    asked or is not signed as it must be, ``ServiceUnavailable`` when the provider does not answer.
    """
    backend = _backend(module, session, data, redirect_uri)
    with _errors(module):
        response: Any = backend.auth_complete()
    claims = {**response, **(getattr(backend, "id_token", None) or {})}
    return _identity(module, claims)


def _identity(module: str, claims: Mapping[str, Any]) -> ExternalIdentity:
    identifier = str(claims.get("id" if module == "twitter" else "sub") or "")
    if not 1 <= len(identifier) <= MAX_IDENTIFIER_LENGTH:
        raise BadRequest(_("The provider sent no usable identifier"))
    full_name = str(claims.get("name") or "")
    first, last = split_name(full_name)
    fields = {
        "identifier": identifier,
        "email": str(claims.get("email") or "")[:255],
        "first_name": str(claims.get("given_name") or first),
        "last_name": str(claims.get("family_name") or last),
    }
    if attribute_map(module):
        fields.update(mapped_fields(module, claims))
    info = {
        "email": fields["email"],
        "name": full_name,
        "screen_name": str(claims.get("username") or claims.get("preferred_username") or ""),
        **kept_attributes(module, claims),
    }
    return ExternalIdentity(
        module=module,
        info={key: value[:_MAX_INFO_LENGTH] for key, value in info.items() if value},
        forced=forced_fields(module),
        identifier=fields["identifier"],
        email=fields["email"],
        first_name=fields["first_name"],
        last_name=fields["last_name"],
    )


# -- social-auth-core --------------------------------------------------------------------------------------


class _Nonces:
    """States that were handed out and not yet returned, in the visitor's session."""

    def __init__(self, session: MutableMapping[str, Any]) -> None:
        self._session = session

    def use(self, scope: str, timestamp: int, salt: str) -> bool:
        """Note a new state."""
        states = dict(self._session.get(f"{scope}.states", {}))
        states[salt] = timestamp
        self._session[f"{scope}.states"] = dict(sorted(states.items(), key=lambda item: item[1])[-5:])
        return True

    def consume(self, scope: str, timestamp: int, salt: str) -> bool:
        """Use a state up; tell whether it was there."""
        states = dict(self._session.get(f"{scope}.states", {}))
        found = states.pop(salt, None) == timestamp
        self._session[f"{scope}.states"] = states
        return found


class _Associations:
    """OpenID nonces that belong to those states; each is good once."""

    def __init__(self, session: MutableMapping[str, Any]) -> None:
        self._session = session

    def store(self, _url: str, association: Any) -> None:
        """Keep the nonce ``association.handle`` for its state."""
        kept = dict(self._session.get("social.nonces", {}))
        kept[association.handle] = association.assoc_type
        self._session["social.nonces"] = dict(list(kept.items())[-5:])

    def get(self, server_url: str, handle: str) -> list[Any]:
        """Return the kept nonce, or nothing."""
        state = self._session.get("social.nonces", {}).get(handle)
        if state is None:
            return []
        return [SimpleNamespace(id=handle, assoc_type=state, is_expired=lambda: False)]

    def remove(self, handles: list[str]) -> None:
        """Forget used nonces."""
        kept = self._session.get("social.nonces", {})
        self._session["social.nonces"] = {key: value for key, value in kept.items() if key not in handles}


def _errors(module: str) -> Any:
    return _ErrorTranslation(module)


class _ErrorTranslation:
    """Turns what social-auth-core and the network raise into our faults."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        from requests import RequestException
        from social_core.exceptions import AuthCanceled, AuthProviderError, SocialAuthBaseException

        if isinstance(error, AuthCanceled):
            raise Forbidden(_("You did not allow the login")) from error
        if isinstance(error, RequestException | AuthProviderError):
            log.error(
                "the provider of the login method %s does not answer as it should: %s", self._module, error
            )
            raise ServiceUnavailable(
                _("The login service does not answer. Please try again or log in another way.")
            ) from error
        if isinstance(error, SocialAuthBaseException | ValueError | KeyError | TypeError):
            log.warning("a login by %s was refused: %s: %s", self._module, type(error).__name__, error)
            raise BadRequest(
                _("The answer of the login service was not accepted. Please try again.")
            ) from error


def _backend(
    module: str, session: MutableMapping[str, Any], data: Mapping[str, str], redirect_uri: str
) -> BaseOAuth2[Any]:
    """Return the backend of *module*; raises ``ImproperlyConfigured`` when the library is not there."""
    try:
        from social_core.strategy import BaseStrategy
    except ImportError as error:
        raise ImproperlyConfigured(
            f"the login method '{module}' needs social-auth-app-django: pip install 'synnefo[social]'"
        ) from error
    client = _client(module)
    values = _values(module, client)

    class Strategy(BaseStrategy[Any]):
        """Settings, session and request of this login; its result is the provider's answer itself."""

        def get_setting(self, name: str) -> Any:
            return values[name.removeprefix("SOCIAL_AUTH_")]

        def request_data(self, merge: bool = True) -> dict[str, Any]:
            return dict(data)

        get_request_data = request_data

        def session_get(self, name: str, default: Any = None) -> Any:
            return session.get(name, default)

        def session_set(self, name: str, value: Any) -> None:
            session[name] = value

        def session_pop(self, name: str) -> Any:
            return session.pop(name, None)

        def build_absolute_uri(self, path: str | None = None) -> str:
            return path or ""

        def authenticate(self, backend: Any, *args: Any, **kwargs: Any) -> Any:
            return kwargs["response"]

    storage: Any = SimpleNamespace(nonce=_Nonces(session), association=_Associations(session))
    strategy = Strategy(storage=storage)
    return _backend_class(module, client)(strategy, redirect_uri=redirect_uri)


def _values(module: str, client: _Client) -> dict[str, Any]:
    """Return what social-auth-core looks up as settings."""
    return {
        "KEY": client.key,
        "SECRET": client.secret,
        "SCOPE": list(client.scopes),
        "IGNORE_DEFAULT_SCOPE": True,
        "REQUESTS_TIMEOUT": settings.ASTAKOS_SOCIAL_TIMEOUT,
        "USE_PKCE": True,
        "AUTH_EXTRA_ARGUMENTS": (
            {"force_login": "true"}
            if module == "twitter" and settings.ASTAKOS_TWITTER_AUTH_FORCE_LOGIN
            else {}
        ),
    }


def _backend_class(module: str, client: _Client) -> Any:
    from social_core.backends.open_id_connect import OpenIdConnectAuth

    if module == "twitter":
        return _twitter_class()

    class Backend(OpenIdConnectAuth[Any]):
        name = module
        OIDC_ENDPOINT = client.issuer
        ID_TOKEN_ISSUER = client.issuer

    if module == "linkedin":
        from social_core.backends.linkedin import LinkedinOpenIdConnect

        class LinkedInBackend(LinkedinOpenIdConnect[Any]):
            name = module
            OIDC_ENDPOINT = client.issuer
            ID_TOKEN_ISSUER = client.issuer

        return LinkedInBackend
    return Backend


def _twitter_class() -> Any:
    from social_core.backends.oauth import BaseOAuth2PKCE
    from social_core.exceptions import AuthResponseError

    class TwitterBackend(BaseOAuth2PKCE[Any]):
        name = "twitter"
        AUTHORIZATION_URL = settings.ASTAKOS_TWITTER_AUTHORIZATION_URL
        ACCESS_TOKEN_URL = settings.ASTAKOS_TWITTER_TOKEN_URL
        STATE_PARAMETER = True
        REDIRECT_STATE = False
        USE_BASIC_AUTH = True

        def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
            answer = self.get_json(
                settings.ASTAKOS_TWITTER_USER_URL, headers={"Authorization": f"Bearer {access_token}"}
            )
            if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
                raise AuthResponseError(self, code="malformed_response", stage="user_info")
            return {str(key): value for key, value in answer["data"].items()}

    return TwitterBackend
