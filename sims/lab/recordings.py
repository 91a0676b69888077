"""``make recordings``: plays the stories of the committed recordings anew, and keeps what their devices said.

In: the list below. Out: ``data/recordings/*.mcap``, a feed per story without what the service said, and the receipts
that the replay gives beside it. Stories are of the gauntlet, or scenarios written down here.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sims.lab.gauntlet_play import Case
from sims.lab.run import Fidelity, RunRequest, run
from smartstore.bus.reading import Recorded
from smartstore.feed.copying import Cut, cut, event_ages
from smartstore.feed.receipts import receipts_text
from smartstore.testing import GOLDEN
from smartstore.testing.replaying import replayed_feed
from smartstore.wire import topics

OUT = Path("data/recordings")
DEVICES = ("data/camera/#", "data/scale/#", "event/gate/#")
BEFORE_S, AFTER_S = 4.0, 8.0
CORNER: Mapping[str, Any] = {
    "schema": 1, "store": str(Path("configs/stores/corner.yaml").resolve()),
    "edge": str(Path("configs/edge/corner.yaml").resolve()), "start": "2026-01-05T09:00:00Z", "tail_s": 8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Story:
    """What is recorded: a family of the gauntlet, or a script in the corner store."""

    name: str
    seed: int
    family: str | None = None
    keys: Mapping[str, Any] | None = None
    fidelity: Fidelity = "edge"

    def document(self) -> str:
        """The scenario."""
        if self.family is not None:
            return Case(self.family, self.seed).document()
        return yaml.safe_dump({**CORNER, "scenario": self.name, "seed": self.seed, **(self.keys or {})})


def _visit(*actions: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"script": [{"arrive_s": 1, "name": "first", "actions": list(actions)}], **more}


SMALL: Mapping[str, Any] = {"sensor": {"jpeg_quality": 45}, "fps": {f"c{n}": 2.5 for n in (1, 2, 3, 4)}}
"""Pictures that fit into a repository."""

STORIES = (
    Story("plain", 1, "plain"),
    Story("twin-left-in-wrong-place", 1, "twin-left-in-wrong-place"),
    Story("both-hands", 1, "both-hands"),
    Story("swap", 1, "swap"),
    Story("group", 1, "group"),
    Story("tailgating", 1, "tailgating"),
    Story("restocking", 1, "restocking"),
    Story("several-plates", 1, "several-plates"),
    Story("late-messages", 1, "late-messages"),
    Story("unweighed", 3, keys=_visit({"take": "g2-2-b"}, {"take": "g2-3-c"}, {"take": "g3-2-c"}, scales_off=["g2"])),
    Story("frames", 5, keys=_visit({"take": "g1-2-b"}, {"take": "g3-2-c"}, cameras_off=["s1", "s2", "s3"], **SMALL),
          fidelity="frames"),
    Story("frames-unweighed", 6, keys=_visit({"take": "g2-2-b"}, scales_off=["g2"], cameras_off=["s2", "s3"], **SMALL),
          fidelity="frames"),
)  # fmt: skip


def main() -> None:
    """Plays all of them; each recording is there whole or as it was."""
    for story in STORIES:
        size = record(story)
        print(f"{story.name}: {size / 1e6:.2f} MB")


def record(story: Story) -> int:
    """Plays a story and keeps its feed and receipts; returns the size of the feed in bytes."""
    OUT.mkdir(parents=True, exist_ok=True)
    feed = OUT / f"{story.name}.mcap"
    with tempfile.TemporaryDirectory() as folder:
        scenario, out = Path(folder) / "story.yaml", Path(folder) / "run"
        scenario.write_text(story.document())
        run(RunRequest(scenario, seed=story.seed, fidelity=story.fidelity, out=out))
        cut(out / "feed.mcap", feed, _visits(out / "feed.mcap"))
    feed.with_suffix(GOLDEN).write_text(receipts_text(replayed_feed(feed).receipts))
    return feed.stat().st_size


def _visits(feed: Path) -> Cut:
    """From a moment before the first thing that happens at a gate until it is settled what the last one left with."""
    ages = [
        age_s for age_s, part in event_ages(feed)
        if isinstance(part, Recorded) and (found := topics.find(part.channel.topic)) and found[0] is topics.GATE
    ]  # fmt: skip
    return Cut(max(0.0, ages[0] - BEFORE_S), max(ages) + AFTER_S, DEVICES)


if __name__ == "__main__":
    main()
