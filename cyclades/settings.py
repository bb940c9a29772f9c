"""Settings of Cyclades, one module per area."""

from cyclades import settings_compute, settings_ganeti, settings_network, settings_volume

__all__ = ["settings_compute", "settings_ganeti", "settings_network", "settings_volume"]
