"""Settings of the OAuth2 provider, sessions and cookies (identity contract 1.8, 1.9, 5)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_SETTINGS = "20-snf-astakos-app-settings"
_COOKIES = "20-snf-astakos-app-cookie"
_OAUTH2 = "20-snf-astakos-app-oauth2"

declare(
    "ASTAKOS_COOKIE_NAME", "_pithos2_a", type=str, conf=_COOKIES,
    help="Name of the cookie that tells other components' pages the user's id and token.",
)  # fmt: skip
declare(
    "ASTAKOS_COOKIE_DOMAIN", None, type=(str, type(None)), conf=_COOKIES,
    help="Domain of that cookie; pages below it may also be returned to after signing in.",
)  # fmt: skip
declare(
    "ASTAKOS_COOKIE_SECURE", True, type=bool, conf=_COOKIES,
    help="Whether browsers send that cookie over TLS only; plain http sites (a laptop) must switch it off.",
)  # fmt: skip
declare(
    "ASTAKOS_COOKIE_HTTPONLY", True, type=bool, conf=_COOKIES,
    help="Whether scripts are kept from reading that cookie; False as old pages of components need it.",
)  # fmt: skip
declare(
    "ASTAKOS_COOKIE_ENABLED", True, type=bool, conf=_COOKIES,
    help="Whether that cookie is set at all.",
)  # fmt: skip
declare(
    "ASTAKOS_TRANSLATE_UUIDS", False, type=bool, conf=_COOKIES,
    help="Put the user's name instead of the uuid into that cookie; for migrations only.",
)  # fmt: skip
declare(
    "ASTAKOS_REDIRECT_ALLOWED_SCHEMES", ("pithos", "pithosdev"), type=(list, tuple), conf=_SETTINGS,
    help="Schemes of native clients that weblogin may hand a user's token to.",
)  # fmt: skip
declare("OAUTH2_ENDPOINT_PREFIX", "oauth2/", type=str, conf=_OAUTH2, help="Path of the OAuth2 endpoints.")
declare(
    "OAUTH2_TOKEN_ENDPOINT", "token/", type=str, conf=_OAUTH2, help="Path of the token endpoint below it."
)
declare(
    "OAUTH2_AUTHORIZATION_ENDPOINT", "auth/", type=str, conf=_OAUTH2,
    help="Path of the authorization endpoint below OAUTH2_ENDPOINT_PREFIX.",
)  # fmt: skip
declare(
    "OAUTH2_AUTHORIZATION_CODE_LENGTH", 60, type=int, conf=_OAUTH2,
    help="Characters of an authorization code.",
)  # fmt: skip
declare("OAUTH2_TOKEN_LENGTH", 30, type=int, conf=_OAUTH2, help="Characters of an access token.")
declare("OAUTH2_TOKEN_EXPIRES", 20, type=int, conf=_OAUTH2, help="Seconds an access token is good for.")
declare(
    "OAUTH2_REQUIRE_TLS", True, type=bool, conf=_OAUTH2,
    help="Whether the OAuth2 endpoints refuse plain http; DEBUG switches the refusal off as well.",
)  # fmt: skip
declare(
    "OAUTH2_CODE_EXPIRES", 60, type=int, conf=_OAUTH2,
    help="Seconds within which an authorization code must be exchanged.",
)  # fmt: skip
declare(
    "OAUTH2_MAXIMUM_ALLOWED_REDIRECT_URI_LENGTH", 5000, type=int, conf=_OAUTH2,
    help="Characters a redirect address may have.",
)  # fmt: skip
