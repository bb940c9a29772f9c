"""How the cloud presents itself (administrator's contract 7.7)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_CONF = "15-snf-branding-settings"

declare("BRANDING_SERVICE_NAME", "Synnefo", type=str, conf=_CONF, help="Name of this cloud.")
declare("BRANDING_SERVICE_URL", "http://www.synnefo.org/", type=str, conf=_CONF, help="Where the name leads.")
declare("BRANDING_COMPANY_NAME", "Synnefo", type=str, conf=_CONF, help="Who runs this cloud.")
declare(
    "BRANDING_COMPANY_URL",
    "http://www.synnefo.org/",
    type=str,
    conf=_CONF,
    help="Where the company's name leads.",
)
