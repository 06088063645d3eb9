"""What shops, payment services and carriers send of their own accord: proved, and kept where sources read it."""
