"""How many deliveries came, and what they were answered with; of this process, since it began."""

from __future__ import annotations

from prometheus_client import Counter

RECEIVED = Counter(
    "tower_webhooks", "Deliveries received, by sender and by answer.", ("sender", "answer"), registry=None
)
