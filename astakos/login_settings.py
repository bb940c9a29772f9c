"""Settings of login methods, provider policies and second factors (identity contract 4.5, 5)."""

from __future__ import annotations

from synnefo.settings_registry import declare, declare_family

_CONF = "20-snf-astakos-app-settings"
_LOGIN = "20-snf-astakos-app-login"

declare(
    "ASTAKOS_IM_MODULES", ["local"], type=(list, tuple), conf=_CONF,
    help="Enabled login methods; the first is the form of the login page, the others are buttons. Of: "
    "local, shibboleth, ldap, saml, google, twitter, linkedin, oidc.",
)  # fmt: skip

# -- policies ----------------------------------------------------------------------------------------------

_POLICIES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "LOGIN": (bool, "whether one may log in with it"),
    "CREATE": (bool, "whether one may sign up with it"),
    "ADD": (bool, "whether users may add it to their account"),
    "REMOVE": (bool, "whether users may remove it from their account, unless it is their last"),
    "LIMIT": (int, "how many identifiers of it one account may have"),
    "SWITCH": (bool, "whether users may replace its identifier by another"),
    "REQUIRED": (bool, "whether users who lack it see only their profile page until they add it"),
    "AUTOVERIFY": (bool, "whether e-mail addresses of those who sign up with it count as verified"),
    "AUTOMODERATE": (bool, "whether verified users who signed up with it are accepted without moderation"),
    "ADD_GROUPS": ((list, tuple), "the groups joined when it is added and left when it is removed"),
    "CREATION_GROUPS": ((list, tuple), "the groups joined by signing up with it"),
    "MIRROR_GROUPS": (bool, "whether each LDAP login replaces the user's groups by the directory's"),
}
for _name, (_type, _text) in _POLICIES.items():
    _types = _type if isinstance(_type, tuple) else (_type,)
    declare(
        f"ASTAKOS_AUTH_PROVIDERS_{_name}_POLICY", None, type=(*_types, type(None)), conf=_LOGIN,
        help=f"For login methods without a setting of their own: {_text}. None means the method's default.",
    )  # fmt: skip
    declare_family(
        f"ASTAKOS_AUTH_PROVIDER_<MODULE>_{_name}_POLICY", type=_types, conf=_LOGIN,
        help=f"For the login method <MODULE>: {_text}.",
    )  # fmt: skip

_TEXTS = {
    "TITLE": "its name",
    "LOGIN_TITLE": "the title of its box on the login page",
    "LOGIN_PROMPT": "the label of its button on the login page",
    "LOGIN_DESCRIPTION": "what the login page says about it",
    "METHOD_PROMPT": "how the profile page shows it",
    "ADD_PROMPT": "how the profile page offers to add it",
    "LOGIN_DISABLED": "the answer to those whom the LOGIN policy keeps out",
    "CREATE_DISABLED": "the answer to those whom the CREATE policy keeps out",
}
for _name, _text in _TEXTS.items():
    declare_family(
        f"ASTAKOS_AUTH_PROVIDER_<MODULE>_{_name}", type=str, conf=_LOGIN,
        help=f"Replaces the text of the login method <MODULE> that is {_text}; fields: {{module}}, "
        "{title}, {service}, {identifier}, {username}.",
    )  # fmt: skip
declare_family(
    "ASTAKOS_AUTH_PROVIDER_<MODULE>_USER_ATTR_MAP", type=dict, conf=_LOGIN,
    help="For the login method <MODULE>: {user field: (attribute of the provider or a callable, whether the "
    "user may change it)} for identifier, email, first_name and last_name.",
)  # fmt: skip
declare_family(
    "ASTAKOS_AUTH_PROVIDER_<MODULE>_PROVIDER_ATTRS", type=(list, tuple), conf=_LOGIN,
    help="Names of attributes that are kept as the login method <MODULE> sent them.",
)  # fmt: skip

# -- Shibboleth behind a web server ------------------------------------------------------------------------

declare(
    "ASTAKOS_SHIBBOLETH_REQUIRE_NAME_INFO", False, type=bool, conf=_LOGIN,
    help="Whether a Shibboleth login without any name is refused.",
)  # fmt: skip
declare(
    "ASTAKOS_SHIBBOLETH_MIGRATE_EPPN", False, type=bool, conf=_LOGIN,
    help="Whether accounts known by their eppn are moved to the Remote-User identifier as they log in.",
)  # fmt: skip
declare("SHIBBOLETH_TEST_REMOTE_USER", "", type=str, conf=_LOGIN,
        help="With DEBUG only: the Remote-User that a Shibboleth login without one gets.")  # fmt: skip
declare("SHIBBOLETH_TEST_EPPN", "", type=str, conf=_LOGIN,
        help="With DEBUG only: the eppn that a Shibboleth login without one gets.")  # fmt: skip
declare("SHIBBOLETH_TEST_FULLNAME", "", type=str, conf=_LOGIN,
        help="With DEBUG only: the name that a Shibboleth login without one gets.")  # fmt: skip

# -- LDAP and Active Directory -----------------------------------------------------------------------------

declare_family(
    "AUTH_LDAP_<OPTION>", type=(object, bool), conf=_LOGIN,
    help="Options of django-auth-ldap (SERVER_URI, USER_SEARCH, USER_DN_TEMPLATE, START_TLS, GROUP_SEARCH, "
    "GROUP_TYPE, REQUIRE_GROUP, CONNECTION_OPTIONS, …), which the method ldap passes on unchanged.",
)  # fmt: skip
declare("AUTH_LDAP_BIND_PASSWORD", "", type=str, secret=True, conf=_LOGIN,
        help="The password with which django-auth-ldap binds as AUTH_LDAP_BIND_DN to search.")  # fmt: skip

# -- Google, X (Twitter), LinkedIn, any OpenID Connect provider --------------------------------------------

declare("ASTAKOS_GOOGLE_CLIENT_ID", "", type=str, conf=_LOGIN,
        help="The client id that Google's console shows for this service.")  # fmt: skip
declare("ASTAKOS_GOOGLE_SECRET", "", type=str, secret=True, conf=_LOGIN,
        help="The client secret that belongs to ASTAKOS_GOOGLE_CLIENT_ID.")  # fmt: skip
declare("ASTAKOS_TWITTER_TOKEN", "", type=str, conf=_LOGIN,
        help="The OAuth 2.0 client id of the application registered with X (Twitter).")  # fmt: skip
declare("ASTAKOS_TWITTER_SECRET", "", type=str, secret=True, conf=_LOGIN,
        help="The client secret that belongs to ASTAKOS_TWITTER_TOKEN.")  # fmt: skip
declare("ASTAKOS_TWITTER_AUTH_FORCE_LOGIN", False, type=bool, conf=_LOGIN,
        help="Whether X (Twitter) asks for a password even of those who are logged in there.")  # fmt: skip
declare("ASTAKOS_LINKEDIN_TOKEN", "", type=str, conf=_LOGIN,
        help="The client id of the application registered with LinkedIn.")  # fmt: skip
declare("ASTAKOS_LINKEDIN_SECRET", "", type=str, secret=True, conf=_LOGIN,
        help="The client secret that belongs to ASTAKOS_LINKEDIN_TOKEN.")  # fmt: skip
declare("ASTAKOS_OIDC_CLIENT_ID", "", type=str, conf=_LOGIN,
        help="The client id that the OpenID Connect provider of the method oidc knows.")  # fmt: skip
declare("ASTAKOS_OIDC_SECRET", "", type=str, secret=True, conf=_LOGIN,
        help="The client secret that belongs to ASTAKOS_OIDC_CLIENT_ID.")  # fmt: skip
declare("ASTAKOS_OIDC_ISSUER", "", type=str, conf=_LOGIN,
        help="Issuer URL of the OpenID Connect provider; its configuration is found below it.")  # fmt: skip
declare("ASTAKOS_OIDC_SCOPES", ["openid", "profile", "email"], type=(list, tuple), conf=_LOGIN,
        help="What is asked of the OpenID Connect provider.")  # fmt: skip
declare("ASTAKOS_GOOGLE_ISSUER", "https://accounts.google.com", type=str, conf=_LOGIN,
        help="The issuer URL of Google's OpenID Connect provider.")  # fmt: skip
declare("ASTAKOS_LINKEDIN_ISSUER", "https://www.linkedin.com/oauth", type=str, conf=_LOGIN,
        help="The issuer URL of LinkedIn's OpenID Connect provider.")  # fmt: skip
declare("ASTAKOS_TWITTER_AUTHORIZATION_URL", "https://x.com/i/oauth2/authorize", type=str, conf=_LOGIN,
        help="Where X (Twitter) asks people whether they want to log in here.")  # fmt: skip
declare("ASTAKOS_TWITTER_TOKEN_URL", "https://api.x.com/2/oauth2/token", type=str, conf=_LOGIN,
        help="Where X (Twitter) exchanges a code for an access token.")  # fmt: skip
declare("ASTAKOS_TWITTER_USER_URL", "https://api.x.com/2/users/me", type=str, conf=_LOGIN,
        help="Where X (Twitter) tells whose access token it is.")  # fmt: skip
declare("ASTAKOS_SOCIAL_TIMEOUT", 10, type=int, conf=_LOGIN,
        help="Seconds to wait for an answer of an OAuth 2.0 or OpenID Connect provider.")  # fmt: skip

# -- SAML 2.0 ----------------------------------------------------------------------------------------------

declare("ASTAKOS_SAML_ENTITY_ID", "", type=str, conf=_LOGIN,
        help="Name of this service for SAML identity providers; empty means its metadata URL.")  # fmt: skip
declare("ASTAKOS_SAML_KEY_FILE", "", type=str, conf=_LOGIN,
        help="Path of the private key (PEM) with which SAML requests are signed.")  # fmt: skip
declare("ASTAKOS_SAML_CERT_FILE", "", type=str, conf=_LOGIN,
        help="Path of the certificate (PEM) of ASTAKOS_SAML_KEY_FILE.")  # fmt: skip
declare("ASTAKOS_SAML_METADATA_FILES", [], type=(list, tuple), conf=_LOGIN,
        help="Paths of metadata files of the SAML identity providers that users choose from.")  # fmt: skip
declare("ASTAKOS_SAML_IDENTIFIER_ATTRIBUTE", "", type=str, conf=_LOGIN,
        help="The SAML attribute that identifies a user for ever; empty: a persistent NameID.")  # fmt: skip
declare("ASTAKOS_SAML_CLOCK_SKEW", 60, type=int, conf=_LOGIN,
        help="Seconds that clocks of SAML identity providers may be off.")  # fmt: skip
declare("ASTAKOS_SAML_XMLSEC_PROGRAM", "/usr/bin/xmlsec1", type=str, conf=_LOGIN,
        help="Path of the program xmlsec1, which checks signatures.")  # fmt: skip

# -- second factor -----------------------------------------------------------------------------------------

declare("ASTAKOS_SECOND_FACTOR_POLICY", "optional", type=str, conf=_LOGIN,
        choices=("off", "optional", "required"),
        help="Whether those who log in with a password may (optional) or must (required) also show an "
        "authenticator code or a passkey.")  # fmt: skip
declare("ASTAKOS_SECOND_FACTOR_MAX_AGE", 300, type=int, conf=_LOGIN,
        help="Seconds between the right password and the second factor.")  # fmt: skip
