"""From one revision of the ledger's tables to another, and back, without a row that nobody vouches for.

Before anything is changed the whole journal is walked: what somebody else edited is refused, never signed anew. Then
tables, rows, and an entry of the journal for each row that now reads otherwise, are one transaction.
"""

from control_tower.ledger.migrations.moving import Moved, Plan, downgrade, planned, upgrade

__all__ = ["Moved", "Plan", "downgrade", "planned", "upgrade"]
