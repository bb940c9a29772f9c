"""Pools of bridges, MAC prefixes and IPv4 addresses (network contract 8)."""

from __future__ import annotations

from django.db import models

from cyclades.models.network import Subnet


class Pool(models.Model):
    """A range of values as two bit maps, base64 of big-endian bits, in which a one means free.

    ``available_map`` is what Cyclades handed out, ``reserved_map`` what an administrator withholds; a
    value is free when both say so. Empty maps belong to a pool that was never used.
    """

    available_map = models.TextField(blank=True, default="")
    reserved_map = models.TextField(blank=True, default="")
    size = models.PositiveIntegerField()
    base = models.CharField(max_length=32, null=True)
    offset = models.BigIntegerField(null=True)

    class Meta:
        abstract = True


class BridgePool(Pool):
    """Physical VLANs as bridges ``<base><number>``; a single row."""

    class Meta:
        db_table = "cyclades_bridgepool"

    def __str__(self) -> str:
        return f"bridges {self.base}1-{self.size}"


class MacPrefixPool(Pool):
    """MAC prefixes of private networks; a single row."""

    class Meta:
        db_table = "cyclades_macprefixpool"

    def __str__(self) -> str:
        return f"{self.size} MAC prefixes from {self.base}"


class IPPool(Pool):
    """A range of a subnet's IPv4 addresses that ports may get."""

    subnet = models.ForeignKey(Subnet, on_delete=models.CASCADE, related_name="ip_pools")

    class Meta:
        db_table = "cyclades_ippool"
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.size} addresses of subnet {self.subnet_id}"
