"""Settings of the pages and the cloud bar (identity contract 5, 6; web contract 5)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_SETTINGS = "20-snf-astakos-app-settings"
_CLOUD_BAR = "20-snf-astakos-app-cloudbar"

declare(
    "ASTAKOS_LOGIN_SUCCESS_URL", None, type=(str, type(None)), conf=_SETTINGS,
    help="Where a login leads that came from nowhere else; None means the overview.",
)  # fmt: skip
declare(
    "ASTAKOS_LOGOUT_NEXT", "", type=str, conf=_SETTINGS,
    help="Where signing out leads; empty means the login page.",
)  # fmt: skip
for _page in ("LOGIN", "SIGNUP", "PROFILE", "GLOBAL"):
    declare(
        f"ASTAKOS_{_page}_MESSAGES", [], type=(list, tuple, dict), conf=_SETTINGS,
        help="News on top of pages: (level, text) pairs, or texts by level; "
        "levels are debug, info, success, warning and error.",
    )  # fmt: skip
declare(
    "ASTAKOS_MESSAGES_VIEWS_MAP", {}, type=dict, conf=_SETTINGS,
    help="Which of the message lists more pages show: {'landing': ['LOGIN_MESSAGES'], …}; "
    "login, signup and profile show their own, and every page GLOBAL_MESSAGES.",
)  # fmt: skip
declare(
    "ASTAKOS_PROFILE_EXTRA_LINKS", {}, type=dict, conf=_SETTINGS,
    help="More links in the account's menu: {address: text}.",
)  # fmt: skip
declare(
    "ASTAKOS_API_CLIENT_URL", "https://pypi.org/project/kamaki/", type=str, conf=_SETTINGS,
    help="Where the page of API access sends people for the command line client.",
)  # fmt: skip
declare(
    "ASTAKOS_KAMAKI_CONFIG_CLOUD_NAME", None, type=(str, type(None)), conf=_SETTINGS,
    help="Name of this cloud in clients' configuration files; None means the service's name, in lower case.",
)  # fmt: skip
declare(
    "ASTAKOS_USAGE_UPDATE_INTERVAL", 5000, type=int, conf=_SETTINGS,
    help="Milliseconds between two refreshes of the usage page.",
)  # fmt: skip
declare(
    "ASTAKOS_RESOURCES_META", {}, type=dict, conf=_SETTINGS,
    help="How pages present resources, by name: report_desc (or title, verbose_name), help_text (or help), "
    "help_text_input_total, help_text_input_each and placeholder for applications, and group "
    "(storage, compute, network, accounts).",
)  # fmt: skip
declare(
    "UI_STEPUP_MAX_AGE", 900, type=int, conf=_SETTINGS,
    help="Seconds after a login or a repeated password in which secrets are shown without asking again.",
)  # fmt: skip
declare("CLOUDBAR_ACTIVE", True, type=bool, conf=_CLOUD_BAR, help="Show the switch between services.")
declare(
    "CLOUDBAR_LOCATION", None, type=(str, type(None)), conf=_CLOUD_BAR,
    help="Address of the directory with cloudbar.js for other sites; None means the one shipped.",
)  # fmt: skip
declare(
    "CLOUDBAR_SERVICES_URL", None, type=(str, type(None)), conf=_CLOUD_BAR,
    help="Where cloudbar.js finds the list of services; None means get_services of this site.",
)  # fmt: skip
declare(
    "CLOUDBAR_MENU_URL", None, type=(str, type(None)), conf=_CLOUD_BAR,
    help="Where cloudbar.js finds the account menu; None means get_menu of this site.",
)  # fmt: skip
declare(
    "CLOUDBAR_ALLOWED_ORIGINS", [], type=(list, tuple), conf=_CLOUD_BAR,
    help="Origins (https://host) of other sites whose cloud bar may learn who is signed in.",
)  # fmt: skip
declare(
    "CLOUDBAR_COOKIE_NAME", None, type=(str, type(None)), conf=_CLOUD_BAR,
    help="Cookie that tells other sites' scripts that somebody is signed in; None: ASTAKOS_COOKIE_NAME.",
)  # fmt: skip
declare("CLOUDBAR_HEIGHT", 35, type=int, conf=_CLOUD_BAR, help="Height of other sites' cloud bar in pixels.")
declare(
    "CLOUDBAR_BACKGROUND_COLOR", "#000000", type=str, conf=_CLOUD_BAR,
    help="Colour of other sites' cloud bar.",
)  # fmt: skip
