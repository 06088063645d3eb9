"""The ground floor: nouns, ledger, kept artifacts, sources, stores, Slack and settings."""

import os

from control_tower.redaction import guard_logs

__version__ = "0.1.0"

# Nothing here phones home. Set before Prefect or Great Expectations read their environment.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

guard_logs()
