"""Keeping: every step's inputs and outputs, by content, in a chain that can be checked."""

from control_tower.keeping.archive import Archive, Kept, Nouns

__all__ = ["Archive", "Kept", "Nouns"]
