"""The table of pages: who may see each (identity contract 6.1). Who adds a page adds a line.

``P`` public, ``L`` for whoever is signed in, ``T`` with the terms of use signed, ``R`` with the required
login methods as well, ``F`` a part of a page that answers 401 by itself.
"""

from __future__ import annotations

_UI = "astakos/ui/"
UUID = r"(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_PROJECT = f"{_UI}projects/{UUID}"
_APPLICATION = rf"{_PROJECT}/app/(?P<app_id>[0-9]{{1,18}})"

SITE = {
    "$": "P", "healthz": "P", "readyz": "P", "metrics": "P", "_ui/prefs": "P", r"_ui/close\-notice": "P",
    "_ui/search": "T", "_ui/notifications": "T", "_ui/notifications/read": "T", "_ui/shortcuts": "T",
    "_ui/events": "F",
    "im(?:/.*)?$": "P",
    r"branding/theme\.css": "P", r"branding/manifest\.webmanifest": "P",
    "astakos/$": "P",
    r"astakos/im(?:/(?P<rest>[\s\S]*))?$": "P",
}  # fmt: skip

LOGIN = {
    f"{_UI}$": "P", "astakos/ui$": "P", f"{_UI}login/?$": "P", f"{_UI}logout/?$": "P",
    f"{_UI}local/?$": "P", f"{_UI}login/local/?$": "P", f"{_UI}login/ldap/?$": "P",
    f"{_UI}login/ldap/add/?$": "L", f"{_UI}login/shibboleth/?$": "P",
    **{f"{_UI}login/{module}{end}/?$": "P" for module in ("google", "linkedin", "twitter", "oidc")
       for end in ("", "/authenticated")},
    **{f"{_UI}login/saml{end}/?$": "P"
       for end in ("", "/acs", "/authenticated", "/metadata", "/logout", "/sls")},
    f"{_UI}whoami/?$": "P", f"{_UI}login/second_factor/?$": "P", f"{_UI}login/second_factor/set_up/?$": "P",
}  # fmt: skip

SIGN_UP = {
    f"{_UI}signup/?$": "P", rf"{_UI}signup/done/(?P<reference>[^/]{{1,1024}})/?$": "P",
    f"{_UI}activate/?$": "P", f"{_UI}send/activation/?$": "P",
    rf"{_UI}send/activation/(?P<reference>[^/]{{1,1024}})/?$": "P",
    f"{_UI}local/password_reset/?$": "P", f"{_UI}local/password_reset/done/?$": "P",
    rf"{_UI}local/reset/confirm/(?P<reference>[0-9A-Za-z_-]{{1,64}})/"
    r"(?P<token>[0-9A-Za-z-]{1,128})/?$": "P",
    f"{_UI}local/password/reset/complete/?$": "P",
    rf"{_UI}email_change/confirm/(?P<key>[0-9A-Za-z]{{1,64}})/?$": "P",
    f"{_UI}approval_terms/?$": "P", rf"{_UI}approval_terms/(?P<terms_id>[0-9]{{1,30}})/?$": "P",
}  # fmt: skip

#: The session decides, and each asks before anything is handed over.
GRANTS = {"astakos/oauth2/auth/?$": "P", "astakos/weblogin$": "P", "astakos/weblogin/login$": "P"}

ACCOUNT = {
    f"{_UI}password_change/?$": "T", f"{_UI}email_change/?$": "T", f"{_UI}email_change/cancel/?$": "T",
    f"{_UI}feedback/?$": "T", f"{_UI}invite/?$": "R",
    rf"{_UI}remove_auth_provider/(?P<method_id>[0-9]{{1,18}})/?$": "L",
    f"{_UI}second_factor/?$": "T", f"{_UI}second_factor/totp/?$": "T",
    f"{_UI}second_factor/totp/remove/?$": "T", f"{_UI}second_factor/passkeys/add/?$": "T",
    rf"{_UI}second_factor/passkeys/(?P<passkey_id>[0-9]{{1,18}})/remove/?$": "T",
    f"{_UI}second_factor/recovery/?$": "T",
    f"{_UI}confirm/?$": "L", f"{_UI}landing/?$": "T", f"{_UI}landing/tiles$": "T", f"{_UI}profile/?$": "T",
    f"{_UI}profile/end_sessions/?$": "T", f"{_UI}profile/update_token/?$": "R",
    f"{_UI}api_access/?$": "R", rf"{_UI}\.kamakirc$": "R", rf"{_UI}clouds\.yaml$": "R",
    rf"{_UI}openrc\.sh$": "R", rf"{_UI}rclone\.conf$": "R",
    f"{_UI}resources/?$": "R", f"{_UI}resources/bars$": "F", f"{_UI}resources/chip$": "F",
    f"{_UI}resources/strip$": "F", rf"{_UI}resources\.csv$": "R",
    rf"{_UI}cloudbar-settings\.js$": "P",
}  # fmt: skip

PROJECTS = {
    **{f"{_UI}projects{end}/?$": "R" for end in ("", "/add", "/search", "/how_it_works", "/review")},
    f"{_PROJECT}/?$": "R", f"{_PROJECT}/modify/?$": "R",
    f"{_PROJECT}/(?P<action>suspend|unsuspend|terminate|reinstate)/?$": "R",
    f"{_PROJECT}/(?P<action>join|leave|cancel-join-request)/?$": "R",
    f"{_APPLICATION}/?$": "R", f"{_APPLICATION}/(?P<action>approve|deny|cancel|dismiss)/?$": "R",
    f"{_PROJECT}/members/?$": "R", f"{_PROJECT}/members/(?P<which>approved|pending)/?$": "R",
    f"{_PROJECT}/members/change/?$": "R", f"{_PROJECT}/members/add/?$": "R",
    rf"{_PROJECT}/memberships/(?P<membership_id>[0-9]{{1,18}})/(?P<action>accept|reject|remove)/?$": "R",
}  # fmt: skip

#: Whoever loads it can do nothing without a console's password.
COMPUTE = {"cyclades/ui(?:/|$)machines/console/?$": "P"}

PAGES = {**SITE, **LOGIN, **SIGN_UP, **GRANTS, **ACCOUNT, **PROJECTS, **COMPUTE}
