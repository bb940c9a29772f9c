"""The login methods that exist, with their texts and default policies (identity contract 4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

#: A text, translated when it is shown.
Text = str | Promise

#: Every policy with the value that no setting, profile or module says otherwise. ``automoderate`` is
#: missing: its default is that moderation is off.
CLASS_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "login": True,
        "create": True,
        "add": True,
        "remove": True,
        "limit": 1,
        "switch": True,
        "required": False,
        "autoverify": False,
        "add_groups": (),
        "creation_groups": (),
        "mirror_groups": False,
    }
)

_LOGIN_DISABLED = _("Logging in with {title} is not allowed.")
_CREATE_DISABLED = _("Signing up with {title} is not allowed.")


@dataclass(frozen=True)
class ProviderModule:
    """One login method of the code: what is true of it before any setting speaks."""

    module: str
    title: Text
    login_title: Text
    login_prompt: Text
    description: Text
    icon: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    #: User field -> (attribute of the provider, whether the user may change it).
    attributes: Mapping[str, tuple[Any, bool]] = field(default_factory=dict)

    def texts(self) -> dict[str, Text]:
        """Return the texts that settings may replace, by the setting's last part."""
        return {
            "TITLE": self.title,
            "LOGIN_TITLE": self.login_title,
            "LOGIN_PROMPT": self.login_prompt,
            "LOGIN_DESCRIPTION": self.description,
            "METHOD_PROMPT": _("{title} login") if self.module != "local" else _("Password"),
            "ADD_PROMPT": _("Add {title} login") if self.module != "local" else _("Set a password"),
            "LOGIN_DISABLED": _LOGIN_DISABLED,
            "CREATE_DISABLED": _CREATE_DISABLED,
        }


_FIXED = MappingProxyType({"switch": False})

MODULES: Mapping[str, ProviderModule] = MappingProxyType(
    {
        item.module: item
        for item in (
            ProviderModule(
                "local",
                _("Classic"),
                _("Classic login"),
                _("Log in with your e-mail address and password"),
                _("E-mail address and password of this service."),
                "key",
                _FIXED,
            ),
            ProviderModule(
                "shibboleth",
                _("Academic"),
                _("Academic login"),
                _("Log in with your academic account"),
                _("The account of your university or research institute."),
                "academic",
                _FIXED,
            ),
            ProviderModule(
                "ldap",
                _("Enterprise"),
                _("Enterprise login"),
                _("Log in with your enterprise account"),
                _("User name and password of your organisation."),
                "enterprise",
                _FIXED,
                {
                    "identifier": ("objectGUID", False),
                    "email": ("mail", True),
                    "first_name": ("givenName", True),
                    "last_name": ("sn", True),
                },
            ),
            ProviderModule(
                "saml",
                _("Institution"),
                _("Institutional login"),
                _("Log in through your institution"),
                _("The account of an institution that this service trusts."),
                "academic",
                {},
                {
                    "email": ("mail", True),
                    "first_name": ("givenName", True),
                    "last_name": ("sn", True),
                },
            ),
            ProviderModule(
                "google",
                _("Google"),
                _("Google login"),
                _("Log in with Google"),
                _("Your Google account."),
                "google",
            ),
            ProviderModule(
                "twitter",
                _("X (Twitter)"),
                _("X (Twitter) login"),
                _("Log in with X (Twitter)"),
                _("Your X (Twitter) account."),
                "twitter",
            ),
            ProviderModule(
                "linkedin",
                _("LinkedIn"),
                _("LinkedIn login"),
                _("Log in with LinkedIn"),
                _("Your LinkedIn account."),
                "linkedin",
            ),
            ProviderModule(
                "oidc",
                _("OpenID Connect"),
                _("OpenID Connect login"),
                _("Log in with OpenID Connect"),
                _("The account of your organisation."),
                "enterprise",
            ),
        )
    }
)
