"""The public UCI export: which returns were in time, which can't be told, and which were repaid above their price."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

pytestmark = pytest.mark.slow

AS_OF = datetime(2011, 12, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def uci(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Any:
    """A dry run of the returns lane over the whole export."""
    from flows.watch_returns import watch_returns
    from tests.flows.conftest import data, own_tower

    folder = data("uci_online_retail")
    with own_tower(tmp_path_factory.mktemp("uci"), deployed) as tower:
        report = watch_returns(source=f"folder:{folder}", mapping="uci", as_of=AS_OF, dry_run=True)
        yield tower, report


def test_every_return_line_is_read_and_none_is_lost(uci: Any) -> None:
    _, report = uci
    assert (report.accepted["returns"], report.quarantined["returns"]) == (8_539, 0)
    assert sum(report.accepted.values()) + sum(report.quarantined.values()) == 8_539 * 2 + 20_725 + 531_282 + 530_099


def test_in_time_outside_and_unknown_are_as_they_were_counted(uci: Any) -> None:
    tower, report = uci
    window = tower.kept(report, "entitle")["return_window"]
    assert (window.eq("open").sum(), window.eq("closed").sum(), window.isna().sum()) == (5_905, 1_603, 1_031)
    outside = report.findings["return_outside_window"]
    assert (outside.yes, outside.unknown) == (1_603, 1_031)


def test_what_was_repaid_above_the_last_price_paid_is_found(uci: Any) -> None:
    """The price is that of the customer's latest earlier purchase; of several in one invoice, the last line's."""
    _, report = uci
    above = report.findings["refund_above_paid"]
    assert (above.yes, above.unknown) == (272, 1_031)


def test_evidence_that_the_export_does_not_have_is_unknown_and_not_a_no(uci: Any) -> None:
    tower, report = uci
    facts = tower.kept(report, "detect")
    assert facts[["has_photos", "received", "inspected", "gift", "final_sale", "reason"]].isna().all(axis=None)
    assert report.findings["return_not_inspected"].unknown == 8_539
    assert report.findings["refund_without_receipt"].unknown == 8_539
    assert report.proposals == {}
