"""Vendure's hands on a real server: one refund whatever happens, holds that its guard respects, and clear refusals."""

from __future__ import annotations

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_tower.errors import OutcomeUnknown, StoreBusy, StoreError, TowerError
from control_tower.ledger import Ledger
from control_tower.ledger.authorised import Authorised
from control_tower.ledger.effects import find_effect
from control_tower.nouns import Action, EffectState, Money, Proposal
from control_tower.stores import vendure_api
from control_tower.stores.vendure import VendureStore
from tasks.act import carry_out, read_again
from tests.ledger.books import approved, proposal
from tests.postgres import new_database
from tests.stores import vendure_service
from tests.stores.vendure_service import VendureStand


@pytest.fixture
def shop(vendure_on_sqljs: VendureStand) -> VendureStand:
    return vendure_on_sqljs


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def leave(book: Ledger, order: str, amount: int = 1200, action: Action = Action.refund, target: str = "") -> Authorised:
    asked = proposal(order, amount, action, target, source="folder:exports").model_dump()
    money = Money(amount=amount, currency="USD") if action is Action.refund else None
    return approved(book, Proposal.model_validate(asked | {"money": money}))


@pytest.mark.large
def test_every_operation_is_one_that_the_server_knows(shop: VendureStand) -> None:
    graphql = pytest.importorskip("graphql")
    query = graphql.get_introspection_query(input_value_deprecation=True)
    answer = httpx.post(shop.server.admin, json={"query": query}, trust_env=False).json()
    schema = graphql.build_client_schema(answer["data"], assume_valid=True)
    for operation in vendure_api.ALL:
        assert graphql.validate(schema, graphql.parse(operation)) == []
    assert graphql.validate(schema, graphql.parse(vendure_api.LOG.replace("id }", "nothing }"))) != []


@pytest.mark.large
def test_an_order_on_hold_stays_here_until_our_hold_is_released(shop: VendureStand, book: Ledger) -> None:
    order = shop.order()
    held = carry_out(book, shop.store, leave(book, order, action=Action.hold))
    assert held.state is EffectState.confirmed
    assert shop.hand_over(shop.parcel(order)) == "the order is on hold"
    shop.store.release("release-1", held.store_reference)
    assert shop.hand_over(shop.parcel(order)) == "Shipped"
    with pytest.raises(StoreError, match="has left"):
        shop.store.hold("hold-2", order, "too late")


@pytest.mark.large
def test_a_hold_that_somebody_else_wrote_is_neither_released_nor_overwritten(shop: VendureStand) -> None:
    order = shop.order()
    mine = shop.store.hold("key-mine", order, "mine")
    shop.store.hold("key-theirs", order, "theirs")
    shop.store.release("key-release", mine.reference)
    assert shop.hand_over(shop.parcel(order)) == "the order is on hold"
    with pytest.raises(StoreError, match="no open hold of ours"):
        shop.store.release("key-again", f"{order}/somebody")


@pytest.mark.large
def test_a_reship_makes_one_new_parcel_however_often_it_is_begun(shop: VendureStand, book: Ledger) -> None:
    order = shop.order()
    given = leave(book, order, action=Action.reship, target=shop.parcel(order))
    made = carry_out(book, shop.store, given)
    assert made.state is EffectState.confirmed
    assert carry_out(book, shop.store, given) == made
    assert shop.hand_over(made.store_reference.rpartition("/")[2]) == "Shipped"
    with pytest.raises(StoreError, match="is shipped"):
        shop.store.cancel_reship("cancel-1", made.store_reference)


@pytest.mark.large
def test_a_refund_that_the_gateway_failed_is_refused_though_the_server_said_yes(
    shop: VendureStand, book: Ledger
) -> None:
    order = shop.order()
    effect = carry_out(book, shop.store, leave(book, order, amount=1066))
    assert (effect.state, shop.refunds(order)) == (EffectState.refused, [])
    assert shop.store.refundable(order) == Money(amount=3500, currency="USD")


@pytest.mark.large
@pytest.mark.parametrize("books", ["sqlite", "postgres"])
def test_six_runs_at_once_pay_once_where_the_server_alone_pays_up_to_six_times(
    vendure_on_postgres: VendureStand, postgres: str, tmp_path: Path, books: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = vendure_on_postgres
    book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}" if books == "sqlite" else new_database(postgres))
    order, plain = shop.order(3500), shop.order(3500)
    given = leave(book, order, amount=3500)
    with ThreadPoolExecutor(6) as pool:
        effects = list(pool.map(lambda _: carry_out(book, shop.store, given), range(6)))
    assert {effect.state for effect in effects} == {EffectState.confirmed}
    assert shop.refunds(order) == [3500]

    def alone(number: int) -> None:
        try:
            shop.store.refund(f"plain-{number}", plain, Money(amount=3500, currency="USD"), "lost")
        except TowerError:
            return

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(alone, range(6)))
    with capsys.disabled():
        print(f"\nsix refunds of 3500 at once: with the ledger [3500], without it {shop.refunds(plain)}")
    book.engine.dispose()


@pytest.mark.large
def test_a_server_that_dies_in_the_middle_of_a_refund_pays_once(
    request: pytest.FixtureRequest, postgres: str, book: Ledger
) -> None:
    """On PostgreSQL, for sql.js writes its whole file anew at each change, and a kill may leave half of one."""
    assert request.config.cache
    cache = request.config.cache.mkdir("vendure")
    with vendure_service.vendure(cache, new_database(postgres), refund_ms=1500) as server:
        shop = vendure_service.stand(server)
        order = shop.order()
        given = leave(book, order)
        with ThreadPoolExecutor(1) as pool:
            acting = pool.submit(carry_out, book, shop.store, given)
            while (effect := find_effect(book, given.proposal.digest)) is None or effect.state is not EffectState.sent:
                time.sleep(0.05)
            time.sleep(0.5)  # the refund takes a second and a half
            server.kill()
            assert acting.result().state is EffectState.unknown
        with pytest.raises(StoreError, match="can't be read"):
            read_again(book, shop.store, given.proposal)
        server.start()
        assert carry_out(book, shop.store, given).state is EffectState.confirmed
        assert shop.refunds(order) == [1200]


@pytest.mark.large
def test_a_wrong_key_is_told_and_nothing_is_done(shop: VendureStand, book: Ledger) -> None:
    order, secret = shop.order(), "planted-key-0123456789"
    stranger = VendureStore(shop.server.admin, secret, settles_within=0)
    with pytest.raises(StoreError, match="refuses the key") as refusal:
        carry_out(book, stranger, leave(book, order))
    assert secret not in str(refusal.value)
    assert shop.refunds(order) == []


class Silent(http.server.BaseHTTPRequestHandler):
    """Takes a call and says nothing for a while, or asks to come again later."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.server.busy:  # type: ignore[attr-defined]
            self.send_response(429)
            self.end_headers()
            return
        time.sleep(1.0)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def silent() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.busy = False  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def calls(store: VendureStore) -> type[BaseException]:
    """What a call of ours, past all reading, ends with."""
    with pytest.raises(StoreError) as ended:
        store._act(vendure_api.REFUND, {"input": {}}, "order 1", "refundOrder", "Refund")
    return ended.type


def test_no_answer_is_unknown_to_a_call_and_a_refusal_to_a_read(silent: Any) -> None:
    store = VendureStore(f"http://127.0.0.1:{silent.server_port}", "key", timeout=0.2)
    assert calls(store) is OutcomeUnknown
    with pytest.raises(StoreError, match="can't be read: Vendure gave no answer: ReadTimeout") as fault:
        store.effects("key", "order")
    assert not isinstance(fault.value, OutcomeUnknown)
    silent.busy = True
    assert calls(store) is StoreBusy


def test_a_server_that_is_not_there_or_has_a_wrong_certificate_is_unknown_and_never_trusted(
    silent: Any, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1):
        nobody = VendureStore(f"http://127.0.0.1:{vendure_service.free_port()}/admin-api", "key", timeout=0.5)
        assert calls(nobody) is OutcomeUnknown
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    silent.socket = context.wrap_socket(silent.socket, server_side=True)
    wrong = VendureStore(f"https://127.0.0.1:{silent.server_port}", "key", timeout=2)
    with pytest.raises(StoreError, match="can't be read: Vendure gave no answer: ConnectError"):
        wrong.refundable("order")


def self_signed(folder: Path) -> Path:
    """A key and a certificate that nobody vouches for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return file
