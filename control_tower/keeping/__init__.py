"""Keeping: every step's inputs and outputs, by content, in a chain that can be checked."""

from control_tower.keeping.archive import Archive
from control_tower.keeping.kept import Address, Kept, Nouns

__all__ = ["Address", "Archive", "Kept", "Nouns"]
