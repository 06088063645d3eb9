"""What each evidence table promises: ODCS v3.1 files, read, checked and shown."""

from data_contracts.checks import Breach, Checked, RuleCount, Tally, breaches, check
from data_contracts.contract import Column, ContextColumn, Contract, Question, Rule
from data_contracts.pages import write_pages
from data_contracts.reader import load, names, read
from data_contracts.soundness import examples, lint

__all__ = [
    "Breach",
    "Checked",
    "Column",
    "ContextColumn",
    "Contract",
    "Question",
    "Rule",
    "RuleCount",
    "Tally",
    "breaches",
    "check",
    "examples",
    "lint",
    "load",
    "names",
    "read",
    "write_pages",
]
