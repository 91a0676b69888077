"""``smartstore vision …``: what it does with people's files, and one clear line for whatever is wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.cli import run
from smartstore.site import load_site
from smartstore.vision import card
from smartstore.vision.cli import flat
from smartstore.vision.detector import MODELS
from smartstore.vision.labels import read_rgb
from smartstore.wire import topics
from smartstore.wire.codec import decode, encode
from smartstore.wire.messages import Frame

ROOT = Path(__file__).parents[2]
CORNER = ROOT / "configs/stores/corner.yaml"
SHEET = ROOT / "data/pictures/detector.jpg"


def tell(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def people() -> NDArray[np.uint8]:
    """A rendered picture with people, as BGR, without what was drawn on the sheet's other tiles."""
    return np.ascontiguousarray(read_rgb(SHEET)[:360, :640, ::-1])


@pytest.fixture
def folder(tmp_path: Path, people: NDArray[np.uint8]) -> Path:
    place = tmp_path / "shots"
    (place / "deep").mkdir(parents=True)
    cv2.imwrite(str(place / "people.jpg"), people)
    cv2.imwrite(str(place / "deep" / "empty.png"), np.full((90, 160), 120, np.uint8))
    (place / "torn.jpg").write_bytes((place / "people.jpg").read_bytes()[:40])
    (place / "nothing.jpg").write_bytes(b"")
    (place / "torn.mp4").write_bytes(b"no video")
    (place / "notes.txt").write_text("not for us")
    video = cv2.VideoWriter(str(place / "walk.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 360))
    for _ in range(6):
        video.write(people)
    video.release()
    return place


def test_a_folder_of_pictures_and_videos_is_looked_at(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("vision", "detect", folder, "--out", tmp_path / "out", "--json") == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    seen: dict[str, list[dict[str, Any]]] = {}
    for picture in document["pictures"]:
        seen.setdefault(picture["file"], []).append(picture)
    assert set(seen) == {"people.jpg", "deep/empty.png", "walk.avi"}
    assert document["unreadable"] == 3
    assert [line.split(":")[0] for line in said.err.splitlines() if "readable" in line] == [
        "nothing.jpg", "torn.jpg", "torn.mp4"]  # fmt: skip
    assert seen["deep/empty.png"][0]["people"] == []
    somebody = seen["people.jpg"][0]["people"][0]
    assert set(somebody["joints"]) >= {"nose", "left_wrist", "right_ankle"}
    assert 0.35 <= somebody["score"] <= 1
    assert [picture["at_s"] for picture in seen["walk.avi"]] == [0.0, 0.2, 0.4], "five looks a second"
    drawn_over = (
        np.abs(read_rgb(tmp_path / "out/people.jpg").astype(int) - read_rgb(folder / "people.jpg")).max(axis=2) > 50
    )
    left, top, right, bottom = (round(edge) for edge in somebody["box"])
    assert np.count_nonzero(drawn_over[top - 2 : bottom + 3, left - 2 : right + 3]) > right - left, "a box is drawn"
    drawn = cv2.VideoCapture(str(tmp_path / "out/walk.mp4"))
    assert (drawn.get(cv2.CAP_PROP_FRAME_COUNT), drawn.get(cv2.CAP_PROP_FPS)) == (3, 5)
    assert not (tmp_path / "out/torn.jpg").exists()


def test_one_file_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("vision", "detect", folder / "deep/empty.png") == 0
    assert capsys.readouterr().out == "empty.png: 0 people\n"


def test_public_pose_weights_drop_in_by_a_setting(folder: Path, tmp_path: Path) -> None:
    """In a process of its own: here torch and the renderer share an LLVM better not. Weights of a network nobody
    trained find nobody, and that is fine.
    """
    code = (
        "from ultralytics import YOLO; import sys; YOLO('yolo11n-pose.yaml').save('tiny-pose.pt'); "
        "from smartstore.cli import run; "
        f"sys.exit(run(['vision', 'detect', {str(folder / 'people.jpg')!r}, '--detector', 'tiny-pose.pt', '--json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "YOLO_OFFLINE": "true"}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout[done.stdout.index("{") :])
    assert document["detector"] == "tiny-pose.pt"
    assert len(document["pictures"]) == 1


@pytest.mark.parametrize(("arguments", "says"), [
    (["detect", "{tmp}/none"], "no such file or folder"),
    (["detect", "{tmp}"], "holds no pictures"),
    (["detect", str(CORNER)], "neither a picture"),
    (["detect", str(SHEET), "--detector", "{tmp}/none.pt"], "weights are missing"),
    (["detect", str(SHEET), "--detector", "{tmp}"], "weights are missing"),
    (["detect", str(SHEET), "--out", str(CORNER)], "give another folder with --out"),
    (["detect", str(SHEET), "--min-score", "2"], "--min-score"),
    (["train", "--dataset", "{tmp}"], "render one: smartstore sim dataset --out"),
    (["eval", "--dataset", "{tmp}"], "render one: smartstore sim dataset --out"),
    (["examine", "--dataset", "{tmp}"], "render one: smartstore sim dataset --out"),
    (["export", "--run", "{tmp}"], "train first"),
    (["serve", "--store", str(CORNER), "--broker", "mqtt://127.0.0.1:9"], "no MQTT broker at"),
    (["serve", "--store", "{tmp}/none.yaml", "--broker", "mqtt://127.0.0.1:9"], "none.yaml"),
    (["serve", "--store", str(CORNER), "--broker", "amqp://x"], "is not of the form mqtt://"),
    (["serve", "--store", str(CORNER), "--broker", "mqtt://x", "--id", "a/b"], "--id"),
])  # fmt: skip
def test_bad_input_is_one_line(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("vision", *(argument.replace("{tmp}", str(tmp_path)) for argument in arguments)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert says in lines[0]


def test_what_the_examiner_says_goes_into_the_card_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    said = json.loads((MODELS / card.EXAMINER).read_text(encoding="utf-8"))
    for name in ("people.bin", "landmarks.bin", "refinement.bin", card.FIGURES):
        shutil.copy(MODELS / name, tmp_path)
    (tmp_path / "val.json").write_text("{}")

    def examine(datasets: object, out: Path, *_: object, **__: object) -> dict[str, Any]:
        out.write_text(json.dumps(said), encoding="utf-8")
        return {}

    monkeypatch.setattr("smartstore.vision.examiner.examine", examine)
    out = tmp_path / card.EXAMINER
    assert tell("vision", "examine", "--dataset", tmp_path, "--out", tmp_path / "elsewhere.json") == 0
    assert not (tmp_path / card.CARD).exists()
    assert tell("vision", "examine", "--dataset", tmp_path, "--out", out) == 0
    assert (tmp_path / card.CARD).read_text(encoding="utf-8") == (MODELS / card.CARD).read_text(encoding="utf-8")


def test_nested_figures_become_rows() -> None:
    assert flat({"a": 1, "b": {"c": 0.5, "d": {"e": "x"}}, "f": [1]}) == [("a", 1), ("b.c", 0.5), ("b.d.e", "x")]


def test_a_worker_serves_a_store_until_it_is_stopped() -> None:
    """The program itself: pictures in at a broker, people out, a clean end."""
    site = load_site(CORNER)
    jpeg = cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes()
    with EmbeddedBroker() as broker, MqttBus(broker.url, "test") as bus:
        bus.subscribe(topics.PEOPLE.filter(site.store), topics.STATUS.filter(site.store))
        command = [sys.executable, "-m", "smartstore", "vision", "serve", "--store", str(CORNER),
                   "--broker", broker.url, "--id", "w1"]  # fmt: skip
        worker = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            heard = []
            for n in range(300):
                frame = Frame(seq=n, t_ns=n * 200_000_000, width=640, height=360, jpeg=jpeg)
                bus.publish(encode(topics.FRAME, site.store, "c1", frame))
                packet = bus.receive(0.2)
                heard += [received] if packet is not None and (received := decode(packet)) is not None else []
                if any(received.channel is topics.PEOPLE for received in heard):
                    break
                time.sleep(0.05)
            worker.send_signal(signal.SIGTERM)
            _, said = worker.communicate(timeout=20)
        finally:
            worker.kill()
        assert worker.returncode == 0, said
        states = [received.message.state for received in heard if received.channel is topics.STATUS]
        assert (states, heard[-1].device, heard[-1].message.people) == (["online"], "c1", [])
        assert "looks at c1, c2, c3, c4, s1, s2, s3" in said
        while (packet := bus.receive(2)) is not None and topics.find(packet.topic)[0] is not topics.STATUS:  # type: ignore[index]
            pass
        assert packet is not None and b"offline" in packet.payload
