"""The steps that flows are made of: each does one thing, and keeps its inputs and output."""
