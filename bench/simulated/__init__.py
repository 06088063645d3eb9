"""A simulated week of one shop: its clock, its database, its orders, its people, what breaks, and the account."""
