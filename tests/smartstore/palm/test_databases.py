"""The same palm service over SQLite and PostgreSQL: enrolled, recognised, admitted once, renewed, forgotten."""

import threading

import pytest
from sqlalchemy import text

from smartstore.palm.service import VisitToken
from smartstore.palm.store import PalmStore, PalmStoreError
from smartstore.palm.tokens import TokenError
from tests.smartstore.palm.people import SECOND, a_service, come, enrol, known, scan


def test_a_life_in_the_database(database_url: str) -> None:
    with PalmStore(database_url) as store:
        service = a_service(4, 5, store=store)
        person = enrol(service, 3)
        token = come(service, scan(3, seed=1))
        assert isinstance(token, VisitToken)
        service.admit(token.text, audience="corner", by="gate-1", now_ns=12 * SECOND)
        with pytest.raises(TokenError, match="used already"):
            service.admit(token.text, audience="corner", by="gate-1", now_ns=13 * SECOND)
        assert service.clients.find(service.clients.add("gate-1", "gate", "corner", 0, "operator")) is not None
        service.begin_renewal(by="operator", now_ns=0)
        assert known(service, 4)
        assert service.delete(person, by="desk-1", now_ns=0)
        assert service.finish_renewal(by="operator", now_ns=0) == 1
    with PalmStore(database_url, create=False) as store:
        again = a_service(store=store, seed=8)
        assert known(again, 4) and not known(again, 3) and not known(again, 5)
        newest = again.check_audit()
        assert newest is not None and newest.seq == len(again.audit())


def test_a_token_admits_once_however_many_gates_try_at_the_same_time(database_url: str) -> None:
    with PalmStore(database_url) as one, PalmStore(database_url) as other:
        gates = [a_service(3, store=one), a_service(store=other, seed=8)]
        token = come(gates[0], scan(3))
        assert isinstance(token, VisitToken)
        outcomes: list[str] = []

        def admit(gate: int) -> None:
            try:
                gates[gate].admit(token.text, audience="corner", by=f"gate-{gate}", now_ns=12 * SECOND)
                outcomes.append("admitted")
            except TokenError as error:
                outcomes.append(str(error))

        threads = [threading.Thread(target=admit, args=(number % 2,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["admitted"] + ["token was used already"] * 7
        newest = gates[0].check_audit()
        assert newest is not None and newest.seq == 10


@pytest.mark.parametrize("change", ["ADD COLUMN hand TEXT NOT NULL DEFAULT ''", "DROP COLUMN wording"])
def test_a_database_of_another_version_is_refused_in_one_line_and_left_as_it_is(database_url: str, change: str) -> None:
    with PalmStore(database_url) as store:
        enrol(a_service(store=store), 3)
        with store.transaction() as books:
            books.connection.execute(text(f"ALTER TABLE palm_person {change}"))
    for create in (True, False):
        with pytest.raises(PalmStoreError, match="palm_person was made by another version") as caught:
            PalmStore(database_url, create=create)
        assert "\n" not in str(caught.value)


def test_a_database_that_does_not_answer_is_one_line_without_its_password() -> None:
    with pytest.raises(PalmStoreError, match="cannot open") as caught:
        PalmStore("postgresql+psycopg://palm:hunter2@127.0.0.1:9/palm")
    assert "\n" not in str(caught.value) and "hunter2" not in str(caught.value)
