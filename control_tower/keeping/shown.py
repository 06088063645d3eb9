"""What Prefect's UI shows of a step: one artifact that says what went in, what came out, and where each lies."""

from __future__ import annotations

from control_tower.keeping.archive import Archive
from control_tower.keeping.kept import Address
from control_tower.keeping.values import frames_in
from control_tower.redaction import redacted


def show(
    name: str,
    archive: Archive,
    inputs: dict[str, Address],
    outputs: dict[str, Address],
    versions: dict[str, str],
    result: object,
) -> None:
    """One markdown artifact in Prefect's UI: what went in, what came out, and where each lies."""
    from prefect.artifacts import create_markdown_artifact

    rows = dict(frames_in("result", result))
    lines = [f"### {name}", "", *_summary(result), "| | kept | rows | where |", "|---|---|---:|---|"]
    for way, addresses in (("in", inputs), ("out", outputs)):
        for label, address in addresses.items():
            count = rows[label].rows if label in rows and way == "out" else ""
            where = archive.path(*address).removeprefix(f"{archive.root}/")
            lines.append(f"| {way} | {label} | {count} | `{where}` |")
    lines += ["", f"kept in `{archive.root}`"]
    # As code, or the UI takes orders@1.0.0 for a mail address.
    named = ", ".join(f"`{version}`" for version in sorted(versions.values()))
    lines += ["", f"versions: {named}"] if named else []
    create_markdown_artifact(
        key=f"step-{name}", markdown=redacted("\n".join(lines)), description=f"inputs and outputs of {name}"
    )


def _summary(result: object) -> list[str]:
    shown = getattr(result, "markdown", None)
    return [shown, ""] if isinstance(shown, str) else []
