"""Resizes that Nova's clients asked for, until they are confirmed or taken back (compute contract 22.1)."""

from __future__ import annotations

from django.db import models

from cyclades.models.flavor import Flavor


class ServerResize(models.Model):
    """The way of one server from a flavor to another, and back when it is ``reverting``.

    ``restart``: the server ran when it was asked for, and is to run again. ``settled``: the server has the
    flavor it was to get, and its user is to confirm that.
    """

    old_flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="+")
    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="+")
    restart = models.BooleanField(default=False)
    reverting = models.BooleanField(default=False)
    settled = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "cyclades_serverresize"
        indexes = [
            models.Index(
                fields=["created"],
                name="cyclades_serverresize_open_idx",
                condition=models.Q(settled=False),
            )
        ]

    def __str__(self) -> str:
        return f"resize from {self.old_flavor_id} to {self.flavor_id}"
