"""Which stored blocks a hashmap may name: those the uploader's account has had.

Knowing a block's hash is not owning its bytes. An account owns what it uploaded and what its objects have
referred to; a block that is stored for somebody else only counts as missing, is sent again, and is still
stored once (object-storage contract 15.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.db import connection

from pithos.blocks import BlockStore
from pithos.models import AccountBlock, Node
from pithos.streams import store_faults
from synnefo import clock

_BATCH = 5000


def remember(account: Node, digests: Iterable[bytes]) -> None:
    """Note that an account has these blocks."""
    now = clock.now()
    unique = sorted(set(digests))  # one order for everybody: concurrent inserts wait, never deadlock
    for start in range(0, len(unique), _BATCH):
        AccountBlock.objects.bulk_create(
            [AccountBlock(account=account, digest=d, since=now) for d in unique[start : start + _BATCH]],
            ignore_conflicts=True,
        )


_REMEMBER = """
INSERT INTO pithos_account_block (account_id, digest, since) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""


def remembering(account: Node, digests: Sequence[bytes]) -> list[tuple[str, list[object]]]:
    """Return the statements of ``remember``, for those who send them along with others; note many at once."""
    if len(digests) > 1:
        remember(account, digests)
        return []
    now = connection.ops.adapt_datetimefield_value(clock.now())
    return [(_REMEMBER, [account.pk, digest, now]) for digest in digests]


def owned(account: Node, digests: Sequence[bytes]) -> set[bytes]:
    """Return those of ``digests`` that the account has had."""
    unique = list(dict.fromkeys(digests))
    found: set[bytes] = set()
    for start in range(0, len(unique), _BATCH):
        rows = AccountBlock.objects.filter(account=account, digest__in=unique[start : start + _BATCH])
        found.update(bytes(digest) for digest in rows.values_list("digest", flat=True))
    return found


def missing(
    store: BlockStore, uploader: Node, digests: Sequence[bytes], *, readable: Iterable[bytes] = ()
) -> list[bytes]:
    """Return the blocks to be sent, each once, in order of first use.

    ``readable`` are blocks whose content the uploader may read anyway, such as those of the object that is
    being replaced. The empty block is never missing.
    """
    unique = list(dict.fromkeys(digests))
    if settings.PITHOS_DEDUP_SCOPE == "account":
        known = owned(uploader, unique) | set(readable) | {store.empty}
    else:
        known = set(unique)
    with store_faults():
        return [digest for digest in unique if digest not in known or not store.exists(digest)]
