"""Engines that take one record at a time, on a sample: zen-engine and ezrules, in an environment of their own.

Each is given the twenty conditions in its own language, guarded so that what is missing says "not yes" where it
would otherwise raise an error; neither knows an answer of unknown, and neither is asked for severities.
Prints seconds, and the records to which each rule says yes. Usage: python bench/row_by_row.py SAMPLE RULES
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

Records = list[dict[str, Any]]
Answers = list[dict[str, Any]]  # of each record: the kinds that said something
Rules = dict[str, str]
STORED = 1000  # records, where each is a transaction of its own

# ezrules reads its settings, and opens its database, on import; this one is empty and in memory.
os.environ |= {"EZRULES_DB_ENDPOINT": "sqlite://", "EZRULES_APP_SECRET": "bench", "EZRULES_ORG_ID": "1"}


def zen(records: Records, rules: Rules) -> tuple[float, Answers]:
    """GoRules' engine: one decision with an expression for each rule, all records in one batch."""
    import zen as engine

    expressions = [{"id": kind, "key": kind, "value": when} for kind, when in rules.items()]
    graph = {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in"},
            {"id": "rules", "type": "expressionNode", "name": "rules", "content": {"expressions": expressions}},
            {"id": "out", "type": "outputNode", "name": "out"},
        ],
        "edges": [
            {"id": "a", "sourceId": "in", "targetId": "rules", "type": "edge"},
            {"id": "b", "sourceId": "rules", "targetId": "out", "type": "edge"},
        ],
    }
    for node in graph["nodes"]:
        node["position"] = {"x": 0, "y": 0}
    running = engine.ZenEngine({"loader": {"type": "static", "content": {"twenty": graph}}})
    requests = [{"key": "twenty", "context": record} for record in records]
    running.evaluate_batch(requests[:10])
    began = time.perf_counter()
    answers = running.evaluate_batch(requests)
    seconds = time.perf_counter() - began
    failed = [answer for answer in answers if not answer["success"]]
    if failed:
        raise SystemExit(f"zen-engine: {failed[0]}")
    results = [answer["data"]["result"] for answer in answers]
    return seconds, [{kind: True for kind, said in result.items() if said} for result in results]


def ezrules(records: Records, rules: Rules) -> tuple[float, Answers]:
    """ezrules' RuleEngine called in this process: Python compiled for each rule, nothing kept."""
    from ezrules.core.rule_engine import RuleEngineFactory

    running = RuleEngineFactory.from_json(_configured(rules))
    running(records[0])
    began = time.perf_counter()
    answers = [running(record)["rule_results"] for record in records]
    return time.perf_counter() - began, answers


def ezrules_stored(records: Records, rules: Rules) -> tuple[float, Answers]:
    """ezrules as its service does it: newest rules looked up, evaluated and stored, a record at a time."""
    from ezrules.backend.data_utils import Event, eval_and_store
    from ezrules.backend.rule_executors.executors import LocalRuleExecutorSQL
    from ezrules.models.backend_core import Organisation, Rule, RuleEngineConfig
    from ezrules.models.database import Base, db_session, engine

    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    db_session.add(Organisation(o_id=1, name="bench"))
    db_session.add_all([Rule(rid=kind, logic=logic, description=kind, o_id=1) for kind, logic in _logic(rules).items()])
    db_session.commit()
    numbers = {rule.rid: rule.r_id for rule in db_session.query(Rule)}
    config = [each | {"r_id": numbers[each["rid"]]} for each in _configured(rules)]
    db_session.add(RuleEngineConfig(label="production", config=config, o_id=1))
    db_session.commit()
    running = LocalRuleExecutorSQL(db=db_session, o_id=1)
    events = [Event(event_id=str(n), event_timestamp=n, event_data=record) for n, record in enumerate(records[:STORED])]
    running.evaluate_rules(records[0])
    began = time.perf_counter()
    answers = [eval_and_store(running, event)["rule_results"] for event in events]
    seconds = time.perf_counter() - began
    kinds = {number: kind for kind, number in numbers.items()}
    return seconds, [{kinds[number]: said for number, said in answer.items()} for answer in answers]


def _logic(rules: Rules) -> Rules:
    return {kind: f"if {when}:\n\treturn 'YES'" for kind, when in rules.items()}


def _configured(rules: Rules) -> list[dict[str, Any]]:
    return [{"rid": kind, "logic": logic} for kind, logic in _logic(rules).items()]


ENGINES = {
    "zen-engine, one batch": ("zen-engine", zen, "zen"),
    "ezrules, bare engine": ("ezrules", ezrules, "python"),
    "ezrules, stored in memory": ("ezrules", ezrules_stored, "python"),
}


def main() -> None:
    """Run each on the sample, the best of three rounds."""
    records = json.loads(Path(sys.argv[1]).read_text())
    rules = json.loads(Path(sys.argv[2]).read_text())
    os.chdir(tempfile.mkdtemp())
    told: dict[str, Any] = {}
    for name, (package, engine, language) in ENGINES.items():
        try:
            rounds = [engine(records, rules[language]) for _ in range(3)]
        except ImportError as missing:
            told[name] = {"missing": str(missing)}
            continue
        answers = rounds[0][1]
        told[name] = {
            "version": importlib.metadata.version(package),
            "seconds": min(seconds for seconds, _ in rounds),
            "records": len(answers),
            "yes": {kind: [n for n, said in enumerate(answers) if kind in said] for kind in rules[language]},
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
