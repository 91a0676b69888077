"""``make chaos``: the same visits again and again while everything is killed, and nothing of it may show on a receipt.

In: a scenario, a seed, and how often what is killed. Out: a table and ``chaos.json``; exit code 1 on any difference
between the journals of the disturbed runs and that of the undisturbed one. Service, broker and PostgreSQL are real
processes that get a real SIGKILL; the building sends through an outbox, as a gateway beside the devices would.
"""

import argparse
import json
import shutil
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.status import Status

from sims.building import load_building
from sims.chance import stream
from sims.lab.chaos_check import Ledger, differences, read_ledger, write_events
from sims.lab.postgres import PostgresError, PostgresServer, binaries
from sims.lab.product import Palms, ProductError, ProductProcess
from sims.lab.run import write_json
from sims.publish import Outbox, PaceError, Pacer
from sims.scenario import load_scenario
from sims.simulation import Simulation
from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.console import print_table
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, decode, encode

RUSH = Path("configs/scenarios/corner-rush.yaml")
OUT = Path("data/runs/chaos")
SERVICE = "main"
AHEAD_S, PATIENCE_S = 6.0, 180.0
SETTINGS = "service: {catch_up_s: 150, database_s: 150}\n"
"""A machine on which everything is killed is slow: nothing may be given up because of that."""
Database = Literal["sqlite", "postgresql"]
Blow = Literal["service", "broker", "database"]


class ChaosError(Exception):
    """A campaign that cannot go on; one line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often what is struck in one campaign."""

    visits: int = 40
    service: int = 50
    broker: int = 10
    database: int = 10
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Feed:
    """What left the building, moment by moment (event time in nanoseconds), and the palms that its tokens are of."""

    store: Path
    name: str
    moments: Sequence[tuple[int, tuple[Packet, ...]]]
    palms: Palms


def film(scenario_file: Path, visits: int, seed: int, watch: Callable[[str], None]) -> Feed:
    """A rush of so many visits on the wire, as smart cameras, scales and gates send it."""
    scenario = load_scenario(scenario_file)
    if scenario.shoppers is None:
        raise ChaosError(f"{scenario_file}: chaos needs shoppers that come by themselves")
    scenario = scenario.model_copy(update={"shoppers": scenario.shoppers.model_copy(update={"count": visits})})
    building = load_building(scenario.store)
    palms = Palms(building.store, seed)
    simulation = Simulation(building, scenario, seed, scan=palms.scan, enrol=palms.enrol)
    moments: list[tuple[int, tuple[Packet, ...]]] = []
    for moment in simulation.run():
        moments.append((moment.t_ns, moment.packets))
        if len(moments) % 2000 == 0:
            watch(f"simulating {visits} visits: {(moment.t_ns - simulation.start_ns) / 1e9:.0f} s")
    return Feed(scenario.store, building.store, moments, palms)


def blows(plan: Plan, feed: Feed, rng: np.random.Generator) -> list[tuple[int, Blow]]:
    """When what is struck, in event time: at random over the run; a fifth of the kills come right after another one."""
    first, last = feed.moments[0][0], feed.moments[-1][0]
    out: list[tuple[int, Blow]] = []
    for kind, times in (("service", plan.service), ("broker", plan.broker), ("database", plan.database)):
        again = times // 5 if kind == "service" else 0
        moments = sorted(int(t) for t in rng.integers(first, last, times - again))
        moments += [moments[int(i)] for i in rng.integers(0, len(moments), again)]
        out += [(t, kind) for t in moments]  # type: ignore[misc]
    return sorted(out)


class Campaign:
    """One run of the feed through real processes, with blows. ``folder`` is its own."""

    def __init__(self, feed: Feed, plan: Plan, database: Database, folder: Path, watch: Callable[[str], None]) -> None:
        self._feed, self._plan, self._database, self._folder, self._watch = feed, plan, database, folder, watch
        self._rng = stream(plan.seed, f"chaos/{database}")
        self._due = blows(plan, feed, self._rng)
        self._strikes: list[tuple[float, Blow]] = []
        self._locks: list[threading.Thread] = []
        self.counts: Counter[str] = Counter()

    def run(self) -> Ledger:
        """What the journal and the provider's books hold in the end."""
        started = time.monotonic()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        with ExitStack() as stack:
            self._server = stack.enter_context(PostgresServer()) if self._database == "postgresql" else None
            db = self._server.create("chaos") if self._server else f"sqlite:///{self._folder.resolve() / 'journal.db'}"
            self._broker = stack.enter_context(EmbeddedBroker())
            settings = self._folder / "settings.yaml"
            settings.write_text(SETTINGS)
            self._product = ProductProcess(self._feed.store, self._broker.url, self._folder, self._feed.palms, SERVICE,
                                           frames=False, settings=settings, db=db)  # fmt: skip
            line = stack.enter_context(MqttBus(self._broker.url, "building"))
            self._app = stack.enter_context(MqttBus(self._broker.url, "app"))
            self._app.subscribe(*(f"{topics.ROOT}/{self._feed.name}/{below}/#" for below in ("event", "sys")))
            self.heard: dict[tuple[str, int], messages.Message] = {}
            self._finished, self._online = 0, False
            self._outbox = Outbox(line, self._feed.name)
            stack.enter_context(self._product)
            self._play(line)
            for lock in self._locks:
                lock.join()
            self._product.__exit__(None, None, None)
            ledger = read_ledger(db, self._folder / "journal.state/provider.db", self._feed.name)
        write_events(ledger, self._folder)
        self.counts["sent_again"] = self._outbox.sent_again
        self.counts["seconds"] = round(time.monotonic() - started)
        return ledger

    def _play(self, line: MqttBus) -> None:
        pacer = Pacer(lambda: self._outbox.processed_ns, self._attend, AHEAD_S, PATIENCE_S)
        last_ns = self._feed.moments[-1][0]
        self._wait(lambda: self._online, "service")
        for t_ns, packets in self._feed.moments:
            pacer.wait_for(t_ns)
            self._attend(t_ns)
            for packet in packets:
                self._outbox.publish(packet)
        self._wait(lambda: self._outbox.processed_ns >= last_ns - int(1.5e9) and not self._strikes, "end of the feed")
        finish = messages.Finish(seq=0, t_ns=last_ns)
        line.publish(encode(topics.FINISH, self._feed.name, SERVICE, finish))
        self._wait(lambda: self._finished > 0, "last decisions")

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            self._attend()
            if time.monotonic() > deadline:
                log = self._folder / "service.log"
                raise ChaosError(f"{self._database}: the {what} did not come within {PATIENCE_S:.0f} s; see {log}")
            time.sleep(0.002)

    def _attend(self, t_ns: int | None = None) -> None:
        """What goes on besides sending: blows that are due, a service that is down, requests, and what apps hear."""
        while t_ns is not None and self._due and self._due[0][0] <= t_ns:
            wait_s = float(self._rng.uniform(0.0, 0.4)) + 1.5 * len(self._strikes)
            self._strikes.append((time.monotonic() + wait_s, self._due.pop(0)[1]))
        if not self._product.running:
            self.counts["restarts"] += 1
            self._product.start()
        if self._strikes and self._strikes[0][0] <= time.monotonic():
            self._strike(self._strikes.pop(0)[1])
        self._outbox.attend()
        while (packet := self._app.receive(0)) is not None:
            self._hear(packet)

    def _strike(self, blow: Blow) -> None:
        self.counts[blow] += 1
        if blow == "service":
            self._product.kill()
        elif blow == "broker":
            self._broker.kill()
            self._broker.reopen()
        elif self._server is None:
            self._locks.append(threading.Thread(target=self._lock, args=(float(self._rng.uniform(0.5, 4.0)),)))
            self._locks[-1].start()
        elif self._rng.random() < 0.5:
            self._server.cut_connections()
        else:
            self._server.stop(at_once=self._rng.random() < 0.5)
            self._server.start()
        done = ", ".join(f"{self.counts[kind]} of {getattr(self._plan, kind)} {kind}"
                         for kind in ("service", "broker", "database"))  # fmt: skip
        self._watch(f"{self._database}: struck {done}")

    def _lock(self, seconds: float) -> None:
        """Somebody else holds the whole file of the journal."""
        with closing(sqlite3.connect(self._folder / "journal.db", isolation_level=None, timeout=30.0)) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            other.execute("ROLLBACK")

    def _hear(self, packet: Packet) -> None:
        received = decode(packet)
        if received is None:
            return
        if isinstance(received.message, messages.Progress):
            self._finished = max(self._finished, received.message.finished)
        elif isinstance(received.message, messages.Status) and received.device == f"service-{SERVICE}":
            self._online = self._online or received.message.state == "online"
        elif received.channel in (topics.CART, topics.RECEIPT):
            key = packet.topic, received.message.seq
            if self.heard.setdefault(key, received.message) != received.message:
                self.counts["contradictions"] += 1


def chaos(plan: Plan, databases: Sequence[Database], out: Path, scenario: Path = RUSH,
          watch: Callable[[str], None] = lambda _: None) -> list[dict[str, Any]]:  # fmt: skip
    """Plays the undisturbed run, then a campaign per database; a row of figures for each, the undisturbed one first.

    A row's ``differences`` are in words; none is what the product promises.
    """
    feed = film(scenario, plan.visits, plan.seed, watch)
    quiet = Campaign(feed, Plan(plan.visits, 0, 0, 0, plan.seed), "sqlite", out / "undisturbed", watch)
    expected = quiet.run()
    rows = [_row("undisturbed", quiet, expected, differences(expected, expected))]
    for database in databases:
        campaign = Campaign(feed, plan, database, out / database, watch)
        found = campaign.run()
        wrong = differences(found, expected)
        if campaign.counts["contradictions"]:
            wrong.append(f"apps heard {campaign.counts['contradictions']} carts or receipts in two versions")
        rows.append(_row(database, campaign, found, wrong))
    write_json(out / "chaos.json", rows)
    return rows


def _row(name: str, campaign: Campaign, ledger: Ledger, wrong: list[str]) -> dict[str, Any]:
    return {
        "run": name,
        **{kind: campaign.counts[kind] for kind in ("service", "broker", "database", "restarts", "sent_again")},
        "receipts": len(ledger.receipts),
        "captured": len(ledger.captured),
        "events": len(ledger.events),
        "seconds": campaign.counts["seconds"],
        "differences": wrong,
    }


def main() -> None:
    """The command line; exit code 1 on any difference, 2 where there is nothing to compare."""
    parser = argparse.ArgumentParser(prog="python -m sims.lab.chaos", description=(__doc__ or "").split("\n", 1)[0])
    for name, default in (("visits", 40), ("service", 50), ("broker", 10), ("database", 10), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--on", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"])
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    plan = Plan(asked.visits, asked.service, asked.broker, asked.database, asked.seed)
    if plan.visits < 1 or min(plan.service, plan.broker, plan.database, plan.seed) < 0:
        parser.error("there is at least one visit, and nothing is struck less than never")
    if "postgresql" in asked.on and binaries() is None:
        parser.error("there is no PostgreSQL here; install it, or say --on sqlite")
    console = Console(stderr=True, markup=False)
    try:
        with console.status("chaos") as status:
            rows = chaos(plan, asked.on, asked.out, watch=lambda text: _line(status, console, text))
    except (ChaosError, PostgresError, PaceError, ProductError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    _show(rows)
    sys.exit(any(row["differences"] for row in rows))


def _line(status: Status, console: Console, text: str) -> None:
    """Progress on a terminal, and for those who read a log instead."""
    status.update(text)
    if not console.is_terminal:
        console.print(text)


def _show(rows: Sequence[dict[str, Any]]) -> None:
    head = [name for name in rows[0] if name != "differences"]
    cells = [(*(str(row[name]) for name in head), "no" if row["differences"] else "yes") for row in rows]
    print_table((*(name.replace("_", " ") for name in head), "equal"), cells)
    for row in rows:
        for difference in row["differences"]:
            print(f"{row['run']}: {difference}")
    if not any(row["differences"] for row in rows):
        print(json.dumps({"receipts": rows[0]["receipts"], "differences": 0}))


if __name__ == "__main__":
    main()
