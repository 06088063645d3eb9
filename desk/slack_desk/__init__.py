"""Slack as a desk: people press buttons and send forms there, and the ledger takes their rulings."""
