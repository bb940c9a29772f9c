"""Settings of the network and image services (network contract 16)."""

from __future__ import annotations
