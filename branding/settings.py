"""How the cloud presents itself (administrator's contract 7.7, web contract 5)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_CONF = "15-snf-branding-settings"
_LOGOS = ("dashboard", "compute", "console", "storage")

declare("BRANDING_SERVICE_NAME", "Synnefo", type=str, conf=_CONF, help="Name of this cloud.")
declare("BRANDING_SERVICE_URL", "http://www.synnefo.org/", type=str, conf=_CONF, help="Where the name leads.")
declare("BRANDING_COMPANY_NAME", "GRNET", type=str, conf=_CONF, help="Who runs this cloud.")
declare(
    "BRANDING_COMPANY_URL",
    "https://www.grnet.gr/en/",
    type=str,
    conf=_CONF,
    help="Where the company's name leads.",
)
declare(
    "BRANDING_IMAGE_MEDIA_URL",
    None,
    type=(str, type(None)),
    conf=_CONF,
    help="Address below which the pictures lie; None means the ones that are installed with the pages.",
)
declare(
    "BRANDING_FAVICON_URL",
    "favicon.ico",
    type=str,
    conf=_CONF,
    help="Icon of the browser's tab; a name below BRANDING_IMAGE_MEDIA_URL, or an address.",
)
declare(
    "BRANDING_CLOUDBAR_HOME_URL",
    "cloudbar_home.png",
    type=str,
    conf=_CONF,
    help="Picture of the cloud bar's way home; a name below BRANDING_IMAGE_MEDIA_URL, or an address.",
)
for _area in _LOGOS:
    declare(
        f"BRANDING_{_area.upper()}_LOGO_URL",
        f"{_area}_logo.png",
        type=str,
        conf=_CONF,
        help=f"Logo of the {_area} pages; a name below BRANDING_IMAGE_MEDIA_URL, or an address.",
    )
    declare(
        f"BRANDING_{_area.upper()}_LOGO_DARK_URL",
        "",
        type=str,
        conf=_CONF,
        help=f"Logo of the {_area} pages on a dark background; empty takes the other one.",
    )
declare(
    "BRANDING_DASHBOARD_URL",
    "",
    type=str,
    conf=_CONF,
    help="Older spelling of BRANDING_DASHBOARD_LOGO_URL; it counts when it is set.",
)
declare(
    "BRANDING_HAS_2X",
    False,
    type=bool,
    conf=_CONF,
    help="Whether every logo that is given by an address has a twin NAME@2x.EXT of double size beside it.",
)
declare(
    "BRANDING_SHOW_COPYRIGHT",
    True,
    type=bool,
    conf=_CONF,
    help="Whether the footer of every page shows BRANDING_COPYRIGHT_MESSAGE.",
)
declare(
    "BRANDING_COPYRIGHT_MESSAGE",
    None,
    type=(str, type(None)),
    conf=_CONF,
    help="Text of the copyright; None means 'Copyright (c) 2011-<this year> <BRANDING_COMPANY_NAME>'.",
)
declare(
    "BRANDING_FOOTER_EXTRA_MESSAGE",
    "",
    type=str,
    conf=_CONF,
    help="HTML above the copyright: links, emphasis, lists and pictures; anything else is taken out.",
)
declare(
    "BRANDING_FONTS_CSS_URLS",
    [],
    type=(list, tuple),
    conf=_CONF,
    help="Style sheets with fonts; their hosts become allowed sources of styles and fonts.",
)
declare(
    "BRANDING_COLORS",
    {},
    type=dict,
    conf=_CONF,
    help="Other colours: {'light': {'accent': '#0b5cad'}, 'dark': {…}}, by the names of tokens.css.",
)
declare(
    "UI_CSP_REPORT_ONLY",
    False,
    type=bool,
    conf=_CONF,
    help="Let browsers report what the content security policy would forbid instead of forbidding it.",
)
declare(
    "UI_CSP_REPORT_URI",
    "",
    type=str,
    conf=_CONF,
    help="Address that browsers send reports about the content security policy to; empty for none.",
)
declare(
    "UI_NOTIFICATIONS_DAYS",
    90,
    type=int,
    conf=_CONF,
    help="Days for which users' notifications are kept; cleanup-full deletes older ones.",
)
declare(
    "UI_UPDATE_INTERVAL",
    5000,
    type=int,
    conf=_CONF,
    help="Milliseconds after which an open page asks what has changed.",
)
declare(
    "UI_UPDATE_INTERVAL_INCREASE",
    1250,
    type=int,
    conf=_CONF,
    help="Milliseconds added after every four questions in a row that brought nothing new.",
)
declare(
    "UI_UPDATE_INTERVAL_FAST",
    2500,
    type=int,
    conf=_CONF,
    help="Milliseconds between two questions while something of the user's is under way.",
)
declare(
    "UI_UPDATE_INTERVAL_MAX",
    15000,
    type=int,
    conf=_CONF,
    help="The most milliseconds between two questions of an open page.",
)
