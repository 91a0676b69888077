"""``smartstore feed …``: recordings described, cut, merged, checked and mended.

In: MCAP files. Out: tables, JSON, other MCAP files. Mounted by :mod:`smartstore.cli`.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartstore.console import print_json, print_table

if TYPE_CHECKING:
    from smartstore.bus.reading import Damage
    from smartstore.feed.copying import Cut

app = typer.Typer(help="Recorded feeds.", no_args_is_help=True)

Feed = Annotated[Path, typer.Argument(metavar="FEED", help="Recording (MCAP)")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="The new recording")]
From = Annotated[str | None, typer.Option("--from", help="Seconds (or m:ss) of event time from its beginning")]
To = Annotated[str | None, typer.Option("--to", help="Seconds (or m:ss) of event time from its beginning")]
Topics = Annotated[
    str | None,
    typer.Option(help="Topics below the store, with + and #, separated by commas: 'data/scale/#,event/gate/+'"),
]


class FeedUsageError(Exception):
    """A command about feeds that cannot be carried out as it was given; one line."""


@app.command()
def info(feed: Feed, as_json: Annotated[bool, typer.Option("--json", help="Print JSON only")] = False) -> None:
    """Show what a recording holds."""
    from smartstore.bus.reading import check_whole
    from smartstore.feed.describing import summary

    check_whole(feed)
    found = summary(feed)
    if as_json:
        print_json({"file": str(feed), "messages": found.messages, "duration_s": found.duration_s,
                    "start_ns": found.start_ns, "end_ns": found.end_ns, "metadata": found.metadata,
                    "documents": found.documents, "topics": {name: found.topics[name] for name in sorted(found.topics)},
                    })  # fmt: skip
        return
    about = ", ".join(f"{name} {text}" for name, text in found.metadata.items())
    typer.echo(f"{feed}: {about or 'no metadata'}; carries {', '.join(found.documents) or 'no documents'}")
    if found.start_ns >= 0:
        start = datetime.fromtimestamp(found.start_ns / 1e9, UTC)
        typer.echo(f"{found.duration_s:.1f} s from {start:%Y-%m-%d %H:%M:%S} UTC, {found.messages} messages")
    rows = [
        (name, topic.channel or "unknown", str(topic.messages), f"{topic.bytes / 1024:.0f}",
         f"{topic.messages / found.duration_s:.1f}" if found.duration_s > 0 else "")
        for name, topic in sorted(found.topics.items())
    ]  # fmt: skip
    print_table(("topic", "message", "count", "KiB", "per second"), rows)


@app.command()
def export(
    feed: Feed,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object per message and line")] = False,
    out: Annotated[Path | None, typer.Option(help="A file instead of standard output")] = None,
    start: From = None,
    end: To = None,
    topics: Topics = None,
) -> None:
    """Write the messages of a recording as text; of a picture, what is known about it."""
    from smartstore.bus.reading import check_whole
    from smartstore.feed.describing import json_lines

    if not jsonl:
        raise FeedUsageError("say as what to export: --jsonl")
    part = part_of(start, end, topics)
    check_whole(feed)
    if out is None:
        for line in json_lines(feed, part):
            typer.echo(line)
        return
    partial = out.with_name(f".{out.name}.partial")
    try:
        with partial.open("wb") as file:
            for line in json_lines(feed, part):
                file.write(line + b"\n")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


@app.command()
def cut(feed: Feed, out: Out, start: From = None, end: To = None, topics: Topics = None) -> None:
    """Write a part of a recording: a span of time, some topics, or both."""
    from smartstore.feed.copying import cut as cut_out

    if out.exists():
        raise FeedUsageError(f"{out}: exists already; give the part a new name")
    count = cut_out(feed, out, part_of(start, end, topics))
    typer.echo(f"{out}: {count} messages")


@app.command()
def merge(
    feeds: Annotated[list[Path], typer.Argument(metavar="FEED... OUT", help="Recordings, and the new one last")],
) -> None:
    """Write one recording of several of the same store, in the order in which packets were heard."""
    from smartstore.feed.copying import merge as merge_all

    if len(feeds) < 3:
        raise FeedUsageError("name at least two recordings and the new one: smartstore feed merge A.mcap B.mcap OUT")
    *given, out = feeds
    if out.exists():
        raise FeedUsageError(f"{out}: exists already; the last name is that of the new recording")
    count, doubles = merge_all(given, out)
    typer.echo(f"{out}: {count} messages; {doubles} were in more than one recording")


@app.command()
def check(
    feed: Feed,
    repair: Annotated[Path | None, typer.Option(metavar="OUT", help="Write what is whole as a new recording")] = None,
) -> None:
    """Say whether a recording is whole and its messages can be read; with --repair keep what is whole."""
    from smartstore.bus.reading import Recorded, check_whole, recorded
    from smartstore.bus.recording import is_off_wire
    from smartstore.feed.copying import faults_of
    from smartstore.feed.copying import repair as mend
    from smartstore.feed.describing import summary

    if repair is not None:
        if repair.exists():
            raise FeedUsageError(f"{repair}: exists already; give the repaired recording a new name")
        damaged: list[Damage] = []
        count = mend(feed, repair, damaged.append)
        for damage in damaged:
            typer.echo(f"{feed}: byte {damage.at}: {damage.what}", err=True)
        typer.echo(f"{repair}: {count} messages, all that is whole of {feed}")
        return
    check_whole(feed)
    parts = (part for part in recorded(feed) if isinstance(part, Recorded) and not is_off_wire(part.channel))
    odd = [f"{count} {what}" for what, count in faults_of(parts, feed).items() if count]
    found = summary(feed)
    typer.echo(
        f"{feed}: whole; {found.messages} messages on {len(found.topics)} topics, {found.duration_s:.1f} s"
        + (f"; as they were on the wire: {', '.join(odd)}" if odd else "")
    )


def part_of(start: str | None, end: str | None, topics: str | None) -> "Cut":
    """The part of a feed that options name.

    Raises:
        FeedUsageError: a time or a topic is none.
    """
    from smartstore.feed.copying import Cut

    from_s, to_s = _seconds("--from", start), _seconds("--to", end)
    if from_s is not None and to_s is not None and to_s <= from_s:
        raise FeedUsageError(f"--to {end} is not after --from {start}")
    wanted = tuple(topic.strip() for topic in topics.split(",")) if topics is not None else ()
    if topics is not None and not all(wanted):
        raise FeedUsageError(f"--topics {topics!r} has an empty topic; separate them by single commas")
    return Cut(from_s, to_s, wanted)


def _seconds(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        minutes, _, seconds = text.rpartition(":")
        value = 60.0 * int(minutes or 0) + float(seconds)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < 1e9:
        raise FeedUsageError(f"{option} {text!r} is not a time; give seconds from the beginning, like 12.5 or 1:30")
    return value
