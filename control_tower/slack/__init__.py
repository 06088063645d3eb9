"""Slack, outgoing: messages, a durable outbox, and delivery."""
