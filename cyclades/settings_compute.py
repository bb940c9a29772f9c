"""Settings of the compute service (compute contract 20)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_API = "20-snf-cyclades-app-api"

declare(
    "CYCLADES_BASE_URL",
    "https://compute.example.synnefo.org/cyclades",
    type=str,
    conf=_API,
    help="Public address of Cyclades; its path is where the service hangs.",
)
