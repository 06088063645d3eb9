"""The book: cases, proposals, rulings, approvers and effects, in SQLite or PostgreSQL."""

from control_tower.ledger.database import Ledger, open_ledger

__all__ = ["Ledger", "open_ledger"]
