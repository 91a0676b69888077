"""Reports: one file that asks nobody for anything, with every error explained, that a browser shows as it is meant."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sims.lab.explain_run import Run, read_run
from sims.lab.measures import BY_NAME
from sims.lab.report import report
from sims.lab.report_data import goods, time_line, walks, zones
from sims.lab.report_page import Page, Section, Table, write
from sims.lab.report_pictures import mean_over_seeds
from sims.lab.report_run import MOST_BYTES
from sims.lab.run import RunRequest, run
from sims.lab.sweep import read_sweep, sweep, write_results
from smartstore.cli import run as tell
from smartstore.site.writing import EditError

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two come: one takes flour, one takes oil and leaves it on the floor, which is a case."""
    base = tmp_path_factory.mktemp("run")
    script = [
        {"arrive_s": 1, "speed_m_s": 1.2, "actions": [{"take": "g1-1-a"}]},
        {
            "arrive_s": 2,
            "speed_m_s": 1.2,
            "actions": [{"touch": "g2-3-a"}, {"take": "g1-3-d"}, {"drop": "2000151112704"}],
        },
    ]
    (base / "two.yaml").write_text(yaml.safe_dump({
        "schema": 1, "scenario": "two", "store": str(ROOT / "configs/stores/corner.yaml"), "script": script,
        "seed": 461, "tail_s": 6,
    }))  # fmt: skip
    run(RunRequest(base / "two.yaml", out=base / "out"))
    return base / "out"


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    return report(folder)


@pytest.fixture(scope="module")
def told(folder: Path) -> Run:
    return read_run(folder)


class Html(HTMLParser):
    """What matters of a page: tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_everything_and_asks_nobody(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    html = Html(text)
    titles = [attributes["id"] for tag, attributes in html.tags if tag == "h2"]
    assert titles == [
        "paths-and-heat", "zones", "products", "occupancy-and-gate", "receipts", "errors-and-doubts-explained", "money",
        "hardware", "bandwidth", "coverage", "all-measures",
    ]  # fmt: skip
    assert len(text.encode()) < MOST_BYTES
    assert not re.search(r"https?://|@import|<script|url\(", text)
    assert "nobody could tell what happened at g1-3-d; perhaps shopper-2 put back 1 × Olive oil 0.5 l" in html.text
    assert "2 of 2 are exact" in html.text


def test_who_does_not_see_it_can_read_it(page: Path) -> None:
    html = Html(page.read_text(encoding="utf-8"))
    count = {name: sum(tag == name for tag, _ in html.tags) for name in ("table", "caption", "h1", "main", "img")}
    assert count["table"] == count["caption"] > 5 and count["h1"] == count["main"] == 1 and count["img"] >= 7
    assert all(attributes.get("alt") for tag, attributes in html.tags if tag == "img")
    assert all(attributes.get("scope") for tag, attributes in html.tags if tag == "th")
    assert dict(html.tags)["html"] == {"lang": "en"}
    links = {attributes["href"] for tag, attributes in html.tags if tag == "a"}
    assert links <= {f"#{attributes['id']}" for _, attributes in html.tags if "id" in attributes}


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium (.ci/run does)")
def test_a_browser_shows_it_without_a_word_of_complaint(page: Path) -> None:
    from playwright.sync_api import sync_playwright

    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width in (1200, 390):
            view = browser.new_page(viewport={"width": width, "height": 900})
            view.on("console", lambda message: said.append(message.text))
            view.on("pageerror", lambda error: said.append(str(error)))
            view.on("request", lambda request: asked.append(request.url))
            view.goto(page.as_uri())
            loaded = view.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 50)")
            assert len(loaded) >= 7 and all(loaded)
            assert view.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"scrolls sideways at {width}"
        assert len(view.pdf(format="A4")) > 50_000
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()] * 2


def test_zones_goods_and_the_gate_agree_with_the_truth(told: Run) -> None:
    by_fixture = {zone.fixture: zone for zone in zones(told)}
    assert (by_fixture["g1"].took, by_fixture["g1"].stopped) == (2, 2)
    assert (by_fixture["g2"].touched, by_fixture["g2"].took) == (1, 0)
    assert by_fixture["k1"].touched == 0
    for zone in by_fixture.values():
        assert zone.took <= zone.touched <= zone.passed and zone.stopped <= zone.passed
    rows = {row.name: row for row in goods(told)}
    assert (rows["Wheat flour 1 kg"].sold, rows["Wheat flour 1 kg"].billed) == (1, 1)
    assert (rows["Olive oil 0.5 l"].taken, rows["Olive oil 0.5 l"].sold, rows["Olive oil 0.5 l"].wrong) == (1, 0, 0)
    line = time_line(told)
    assert line.inside.max() == 2 and len(line.waits_s) == 2 and line.waiting.max() >= 1
    there_s = sum(np.diff(path[:, 0]).sum() for path in walks(told).values())
    assert line.inside.sum() == pytest.approx(there_s, abs=4.0)


def test_a_sweep_has_a_report_of_its_own(tmp_path: Path) -> None:
    script = [{"arrive_s": 1, "speed_m_s": 1.2, "actions": [{"take": "g1-1-a"}]}]
    (tmp_path / "short.yaml").write_text(yaml.safe_dump({
        "schema": 1, "scenario": "short", "store": str(ROOT / "configs/stores/corner.yaml"), "script": script,
    }))  # fmt: skip
    axes: dict[str, Any] = {
        "layout": {"all": {}, "two fewer": {"store": ["remove c3", "remove c4"]},
                   "impossible": {"set": {"store.fixtures.g2.origin_m": [0.45, 2.3]}}},
    }  # fmt: skip
    plan = {"schema": 1, "sweep": "s", "design": "short.yaml", "seeds": "461", "axes": axes}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    sweep(tmp_path / "plan.yaml", 1, out=tmp_path / "out")
    assert tell(["sim", "report", str(tmp_path / "out"), "--out", str(tmp_path / "report.html")]) == 0
    html = Html((tmp_path / "report.html").read_text(encoding="utf-8"))
    titles = [attributes["id"] for tag, attributes in html.tags if tag == "h2"]
    assert titles == ["points", "along-layout", "what-matters-most", "cost-against-receipts", "hardware", "coverage",
                      "failed-runs"]  # fmt: skip
    assert "impossible" in html.text and "15,340.00 EUR" in html.text and "14,440.00 EUR" in html.text


def test_a_sweep_is_reported_with_the_prices_that_it_was_made_with(tmp_path: Path) -> None:
    francs = (ROOT / "configs/prices.yaml").read_text().replace("currency: EUR", "currency: CHF")
    (tmp_path / "prices.yaml").write_text(francs)
    plan = {"schema": 1, "sweep": "s", "design": str(ROOT / "configs/scenarios/corner-rush.yaml"), "seeds": "1",
            "prices": "prices.yaml", "axes": {"scenario.tail_s": [5]}}  # fmt: skip
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    write_results(tmp_path, read_sweep(tmp_path / "plan.yaml"), [{"row": dict.fromkeys(BY_NAME, 1.0)}])
    text = report(tmp_path).read_text(encoding="utf-8")
    assert "Devices and what they cost, CHF." in text and "EUR" not in text


def test_a_second_axis_that_changes_nothing_makes_no_interval_narrower() -> None:
    """Points of a sweep play the same seeds: more points are no more luck."""
    alone = [{"seed": seed, "leak": leak} for seed, leak in enumerate((0.1, 0.2, 0.4))]
    mean, reach = mean_over_seeds(alone, "leak")
    assert reach == pytest.approx(4.303 * np.std([0.1, 0.2, 0.4], ddof=1) / np.sqrt(3), rel=1e-3)
    assert mean_over_seeds([*alone, *alone, *alone], "leak") == pytest.approx((mean, reach))
    assert mean_over_seeds([*alone[:1], {"seed": 1, "leak": None}], "leak") == (0.1, 0.0)


def test_what_is_written_stands_as_it_is(tmp_path: Path) -> None:
    """Names of goods are no markup."""
    table = Table("c", ("a", "b"), (("<b>bold</b> & co", "1"),))
    write(tmp_path / "page.html", Page("t <i>", "about", (), (Section("s", [table]),)))
    text = (tmp_path / "page.html").read_text()
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; co" in text and "<i>" not in text


def test_a_full_disk_leaves_the_report_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("before")
    (tmp_path / ".page.html.partial").symlink_to("/dev/full")
    with pytest.raises(EditError, match=r"page\.html: cannot be written: no space left on device"):
        write(tmp_path / "page.html", Page("t", "about", (), ()))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("page.html", "before")]


@pytest.mark.parametrize(
    ("name", "line"),
    [("none", "is not the folder of a run (no feed.mcap)"), ("empty", "all 1 runs failed, the first so")],
)
def test_what_cannot_be_reported_is_one_line(
    name: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / name
    folder.mkdir()
    if name == "empty":
        pq.write_table(pa.table({"seed": [1], "failed": ["it fell over"]}), folder / "results.parquet")
        (folder / "plan.json").write_text(json.dumps({"axes": []}))
    assert tell(["sim", "report", str(folder)]) == 2
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1
    assert not (folder / "report.html").exists()
