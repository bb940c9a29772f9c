"""Settings of Cyclades, one module per area."""

from cyclades import settings_compute, settings_ganeti, settings_network

__all__ = ["settings_compute", "settings_ganeti", "settings_network"]
