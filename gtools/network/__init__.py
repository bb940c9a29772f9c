"""Guests' networks on a Ganeti node: wiring, filters, addresses (ganeti-backend contract 8).

Nothing here needs Django or a database: Ganeti passes everything in the environment of its hooks.
"""
