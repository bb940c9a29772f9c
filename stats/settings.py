"""Settings of the service that draws graphs (ganeti-backend contract 13)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_STATS = "20-snf-stats-app-settings"

declare(
    "STATS_BASE_URL",
    "https://stats.example.synnefo.org/stats/",
    type=str,
    conf=_STATS,
    help="Public address of the service that draws graphs; its path is where the service hangs.",
)
declare(
    "STATS_SECRET_KEY",
    "",
    type=str,
    conf=_STATS,
    secret=True,
    help="CYCLADES_STATS_SECRET_KEY of compute on another host; empty: the one of this host.",
)
declare(
    "RRD_PREFIX",
    "/var/lib/collectd/rrd/",
    type=str,
    conf=_STATS,
    help="Directory of the RRD files: DataDir of collectd's rrdtool plugin.",
)
declare("IMAGE_WIDTH", 210, type=int, conf=_STATS, help="Pixels from left to right of a picture with a bar.")
declare(
    "WIDTH", 68, type=int, conf=_STATS, help="Pixels from left to right of the bar, at the picture's left."
)
declare("HEIGHT", 10, type=int, conf=_STATS, help="Pixels from top to bottom of a picture with a bar.")
declare(
    "FONT",
    "DejaVuSans.ttf",
    type=str,
    conf=_STATS,
    help="Font of the text beside a bar: a file, or one of the system's; where it is missing, Pillow's own.",
)
declare(
    "BAR_BORDER_COLOR",
    (0x5C, 0xA1, 0xC0),
    type=(tuple, list),
    conf=_STATS,
    help="Red, green and blue of a bar's border, each from 0 to 255.",
)
declare(
    "BAR_BG_COLOR",
    (0xEA, 0xEA, 0xEA),
    type=(tuple, list),
    conf=_STATS,
    help="Red, green and blue of the part of a bar that is not filled, each from 0 to 255.",
)
