"""What runs: one lane a file."""
