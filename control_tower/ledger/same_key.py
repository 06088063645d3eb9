"""Whether this machine has the key that the ledger's journal was last written with: machines that share one must."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, inspect, select

from control_tower.ledger.journal import JOURNAL, code_of
from control_tower.ledger.sealed import journal_key


def is_written(engine: Engine) -> bool:
    """Whether there is anything in the journal; asks for no key."""
    return bool(_newest(engine))


def newest_is_ours(engine: Engine) -> bool | None:
    """Whether the newest entry of the journal was written with this machine's key; None where there is no entry."""
    last = _newest(engine)
    if not last:
        return None
    before = last[1]["code"] if len(last) > 1 else ""
    return hmac.compare_digest(last[0]["code"], code_of(journal_key(), dict(last[0]), before))


def _newest(engine: Engine) -> Sequence[Mapping[str, Any]]:
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        if not inspect(connection).has_table(JOURNAL.name):
            return ()
        newest = select(JOURNAL).order_by(JOURNAL.c.number.desc()).limit(2)
        return [dict(row) for row in connection.execute(newest).mappings()]
