"""Statistics of guests for collectd (ganeti-backend contract 12.1)."""
