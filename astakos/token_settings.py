"""Settings of the Keystone v3 dialect: which passwords it takes and how long its tokens last."""

from __future__ import annotations

from synnefo.settings_registry import declare

_SETTINGS = "20-snf-astakos-app-settings"

declare(
    "ASTAKOS_V3_PASSWORD_POLICY", "token-or-password", type=str, conf=_SETTINGS,
    choices=("token", "token-or-password"),
    help="What the password of a Keystone v3 request may be: the user's token, or the web password as well; "
    "accounts with a second factor never log in by their web password alone.",
)  # fmt: skip
declare(
    "ASTAKOS_V3_TOKEN_DURATION", 12, type=int, conf=_SETTINGS,
    help="Hours a token that a Keystone v3 request made is good for, at most as long as what it came from.",
)  # fmt: skip
declare(
    "ASTAKOS_V3_FAILURES_PER_MINUTE", 10, type=int, conf=_SETTINGS,
    help="Failed attempts with an application credential from one address that the Keystone v3 dialect looks "
    "at in a minute; passwords are counted as on the log-in page.",
)  # fmt: skip
