"""Which account has had which block."""

from __future__ import annotations

from django.db import models

from pithos.models.node import Node


class AccountBlock(models.Model):
    """Proof that an account once sent or received a block, so that it may refer to it by its hash alone.

    One narrow row per account and block; collection removes rows of blocks no longer in the store.
    """

    account = models.ForeignKey(Node, models.CASCADE, related_name="blocks", db_index=False)
    digest = models.BinaryField(max_length=64)
    since = models.DateTimeField()

    class Meta:
        db_table = "pithos_account_block"
        constraints = [
            models.UniqueConstraint(fields=["account", "digest"], name="pithos_account_block_item_key"),
        ]
        # Collection looks for the rows of blocks that are gone.
        indexes = [models.Index(fields=["digest"], name="pithos_block_digest_idx")]

    def __str__(self) -> str:
        return f"{self.account_id}: {bytes(self.digest).hex()}"
