"""Where people sit: the `tower` command."""
