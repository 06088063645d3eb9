"""What each evidence table promises: ODCS v3 files, read, checked and shown."""

from data_contracts.checks import Breach, Checked, RuleCount, check
from data_contracts.reader import Column, ContextColumn, Contract, Rule, lint, load, names, read

__all__ = [
    "Breach",
    "Checked",
    "Column",
    "ContextColumn",
    "Contract",
    "Rule",
    "RuleCount",
    "check",
    "lint",
    "load",
    "names",
    "read",
]
