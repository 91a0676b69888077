"""A whole run: the same every time, nothing true on the wire, and every device by its own clock."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from sims.building import Building
from sims.scenario import Scenario, ScenarioError
from sims.simulation import Simulation
from sims.stick import StickFigures
from smartstore.wire.codec import Packet
from tests.sims.playing import Palms, Played, play

Make = Callable[[Mapping[str, object]], Scenario]

SHORT = {
    "shoppers": {"count": 2, "arrivals": {"first_s": 1, "gap_s": {"min": 2, "max": 3}}, "items": {"min": 1, "max": 2}},
    "tail_s": 3,
}
SECOND = 1_000_000_000


def by_topic(packets: list[Packet]) -> dict[str, list[bytes]]:
    topics: dict[str, list[bytes]] = {}
    for packet in packets:
        topics.setdefault(packet.topic, []).append(packet.payload)
    return topics


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(
    corner: Building, scenario: Make, tmp_path: Path
) -> None:
    one, two, other = (play(corner, scenario(SHORT), tmp_path, seed) for seed in (3, 3, 4))
    assert one.packets == two.packets
    assert one.truth_bytes == two.truth_bytes
    assert one.packets != other.packets


def test_a_camera_less_changes_nothing_of_the_other_devices(corner: Building, scenario: Make, tmp_path: Path) -> None:
    all_of_them = play(corner, scenario(SHORT), tmp_path, 3)
    fewer = replace(corner, cameras={name: spec for name, spec in corner.cameras.items() if name not in ("c1", "s2")})
    without = play(fewer, scenario(SHORT), tmp_path, 3)
    before, after = by_topic(all_of_them.packets), by_topic(without.packets)
    assert {topic.split("/")[-2] for topic in set(before) - set(after)} == {"c1", "s2"}
    assert {topic: before[topic] for topic in after} == after
    assert all_of_them.truth_bytes == without.truth_bytes


def test_a_scale_less_changes_nothing_of_the_other_devices(corner: Building, scenario: Make, tmp_path: Path) -> None:
    before = by_topic(play(corner, scenario(SHORT), tmp_path, 3).packets)
    off = play(corner, scenario({**SHORT, "scales_off": ["g2"]}), tmp_path, 3)
    after = by_topic(off.packets)
    assert set(before) - set(after) == {"smartstore/v1/corner/data/scale/g2"}
    assert all(after[topic] == before[topic] for topic in after if not topic.endswith("sys/g2/status"))
    assert [r.message.state for r in off.of("status", "g2")] == ["offline", "offline"]


def test_nothing_true_is_on_the_wire(rush: Played) -> None:
    """No names of people; SKUs only where a shelf camera guesses; no facing of a take, no true position."""
    for received, packet in zip(rush.received, rush.packets, strict=True):
        text = packet.payload.decode()
        assert "shopper" not in text + packet.topic
        if received.channel.name != "facings":
            assert not re.search(r"\b20001\d{8}\b|\b2000[23]\d{8}\b", text)
            assert not re.search(r'"g\d-\d-[a-d]"', text)
    looks = [value for r in rush.of("people") for person in r.message.people for value in person.appearance]
    guesses = [
        n for r in rush.of("facings") for facing in r.message.facings for n in (facing.fill, *facing.scores.values())
    ]
    guessed = {f"{abs(number)}" for number in (*looks, *guesses)}
    true = {f"{number}" for _, people in rush.truth.positions for _, x, y in people for number in (x, y)}
    told = {number for packet in rush.packets for number in re.findall(r"\d+\.\d{4,}", packet.payload.decode())}
    assert not told & true - guessed
    assert not {f"{change.grams}" for change in rush.truth.changes} & told


def test_gates_tell_who_came_in_but_not_who_went_out(quiet: Played) -> None:
    entries = [r for r in quiet.of("gate", "entry") if r.message.kind == "entry"]
    assert [(r.message.visit, r.message.token, r.message.party_size) for r in entries] == [
        (f"v0{i}", f"token-0{i}", 1) for i in (1, 2, 3)
    ]
    beams = quiet.of("gate", "exit")
    assert [r.message.kind for r in beams] == ["exit_beam"] * 3
    assert all(r.message.visit is None and r.message.token is None for r in beams)
    assert [r.t_ns for r in beams] == [visit.left_ns for visit in quiet.truth.visits]
    assert [r.t_ns for r in entries] == [visit.entered_ns for visit in quiet.truth.visits]
    assert len({r.message.event_id for r in quiet.of("gate")}) == len(quiet.of("gate"))


def test_every_device_says_hello_and_counts_its_messages(quiet: Played, corner: Building) -> None:
    states = [(r.device, r.message.state) for r in quiet.of("status")]
    devices = {*corner.cameras, "g1", "g2", "g3", "g4", "k1", "entry", "exit"}
    assert {device for device, _ in states} == devices
    assert [state for device, state in states if device == "c1"] == ["online", "offline"]
    assert all(r.channel.name == "status" for r in quiet.received[: len(devices)])
    for channel in ("scale", "people", "facings", "gate"):
        for device in {r.device for r in quiet.of(channel)}:
            assert [r.message.seq for r in quiet.of(channel, device)] == list(range(len(quiet.of(channel, device))))


def test_messages_come_in_about_the_order_of_event_time(quiet: Played) -> None:
    latest = 0
    for received in quiet.received:
        length_ns = SECOND // 5 if received.channel.name == "scale" else 0
        assert received.t_ns + length_ns >= latest - SECOND // 30
        latest = max(latest, received.t_ns)
    assert latest >= quiet.truth.visits[-1].left_ns + 9 * SECOND, "the tail lets watermarks pass"


def test_scales_sample_without_gaps_and_cameras_at_their_rates(quiet: Played, corner: Building) -> None:
    for fixture in ("g1", "k1"):
        times = [r.t_ns for r in quiet.of("scale", fixture)]
        assert all(abs(b - a - SECOND // 5) <= 1 for a, b in pairwise(times))
    for camera, spec in corner.cameras.items():
        times = [r.t_ns for r in quiet.of("people", camera)]
        assert (len(times) - 1) / ((times[-1] - times[0]) / SECOND) == pytest.approx(spec.fps, rel=0.01)
    assert quiet.of("people", "s1")[3].t_ns == quiet.of("facings", "s1")[3].t_ns


def test_a_wrong_clock_shifts_the_stamps_of_its_device_alone(corner: Building, scenario: Make, tmp_path: Path) -> None:
    right = play(corner, scenario(SHORT), tmp_path, 3)
    wrong = play(corner, scenario({**SHORT, "clock_offsets_s": {"c1": 0.25, "g1": -0.1, "exit": 1.0}}), tmp_path, 3)
    for channel, device, offset_s in (
        ("people", "c1", 0.25),
        ("scale", "g1", -0.1),
        ("gate", "exit", 1.0),
        ("people", "c2", 0),
    ):
        gaps = {b.t_ns - a.t_ns for a, b in zip(right.of(channel, device), wrong.of(channel, device), strict=True)}
        assert gaps == {round(offset_s * SECOND)}


def test_links_rates_and_stuck_plates_are_those_of_the_devices_they_name(
    corner: Building, scenario: Make, tmp_path: Path
) -> None:
    plates = [plate.id for plate in corner.plates.values() if plate.fixture == "g2"][:2]
    named = {"links": {"g1": {"drop_share": 1.0}}, "fps": {"c1": 2}, "stuck_plates": plates}
    plain, played = play(corner, scenario(SHORT), tmp_path, 3), play(corner, scenario({**SHORT, **named}), tmp_path, 3)
    assert {r.device for r in plain.of("scale")} - {r.device for r in played.of("scale")} == {"g1"}
    assert len(played.of("people", "c2")) == len(plain.of("people", "c2"))
    slower = len(played.of("people", "c1")) / len(plain.of("people", "c1"))
    assert slower == pytest.approx(2 / corner.cameras["c1"].fps, rel=0.1)
    stuck = {
        plate
        for received in played.of("scale")
        for plate, column in zip(received.message.plates, zip(*received.message.grams, strict=True), strict=True)
        if len(set(column)) == 1
    }
    assert stuck == set(plates)


def test_steps_on_a_soft_floor_reach_the_scales_and_nothing_else(
    corner: Building, scenario: Make, tmp_path: Path
) -> None:
    soft, rock = (
        play(corner, scenario({**SHORT, "load_cells": {"footfalls": steps}}), tmp_path, 3) for steps in (1.0, 0.0)
    )
    differ = {topic for topic, sent in by_topic(soft.packets).items() if by_topic(rock.packets)[topic] != sent}
    assert differ and all("/scale/" in topic for topic in differ)


def test_frame_rate_of_ceiling_cameras_can_be_overridden(corner: Building, scenario: Make) -> None:
    palms = Palms()
    simulation = Simulation(
        corner, scenario(SHORT), 3, "edge", 10.0, scan=palms.scan, enrol=palms.enrol, figures=StickFigures()
    )
    topics: dict[str, int] = {}
    for moment in simulation.run():
        for packet in moment.packets:
            topics[packet.topic] = topics.get(packet.topic, 0) + 1
        if moment.t_ns > simulation.start_ns + 4 * SECOND:
            break
    assert topics["smartstore/v1/corner/data/camera/c1/people"] == pytest.approx(40, abs=2)
    assert topics["smartstore/v1/corner/data/camera/s1/people"] == pytest.approx(8, abs=1)


def test_a_run_that_takes_too_long_is_one_line(corner: Building, scenario: Make, tmp_path: Path) -> None:
    story = scenario({"script": [{"arrive_s": 1, "actions": [{"pause_s": 60}]}], "limit_s": 10})
    with pytest.raises(ScenarioError, match=r"story.yaml: limit_s: after 10 s there are still shoppers"):
        play(corner, story, tmp_path)


def test_moments_say_what_is_true_to_displays(corner: Building, scenario: Make) -> None:
    palms = Palms()
    script = [{"arrive_s": 0.5, "actions": [{"take": "g1-2-a"}]}]
    figures = StickFigures()
    simulation = Simulation(corner, scenario({"script": script}), scan=palms.scan, enrol=palms.enrol, figures=figures)
    moments = list(simulation.run())
    assert max(moment.inside for moment in moments) == 1
    assert moments[-1].inside == 0
    assert len(palms.enrolled) == 1
    assert palms.enrolled[0].shape == (128,)
    assert simulation.renderer_kind == "none"
    ended_s = (moments[-1].t_ns - simulation.start_ns) / SECOND
    assert 0.4 * ended_s < simulation.expected_s < 2.5 * ended_s


def test_truth_lines_are_json_with_a_header_first(quiet: Played) -> None:
    lines = [msgspec.json.decode(line) for line in quiet.truth_bytes.splitlines()]
    assert lines[0]["record"] == "header"
    assert {line["record"] for line in lines[1:]} == {"positions", "change", "visit"}
