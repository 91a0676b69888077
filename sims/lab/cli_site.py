"""``smartstore sim …``: what the cameras of a planned store would see, and where to hang them."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from smartstore.console import print_whole

if TYPE_CHECKING:
    from sims.lab.coverage import Coverage

app = typer.Typer()
StoreFile = Annotated[Path, typer.Argument(metavar="STORE", help="Store document")]


@app.command()
def coverage(
    store: StoreFile,
    density: Annotated[float, typer.Option(min=0, max=5, help="People per square metre of free floor")] = 0.0,
    out: Annotated[Path | None, typer.Option(help="Folder for plan.png, faces.png and coverage.json")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON and nothing else")] = False,
) -> None:
    """Show what cameras see of floor and shelf faces, pixels per metre by IEC 62676-4:2025, and blind spots."""
    from sims.lab.coverage import coverage as covered
    from sims.lab.coverage_picture import draw
    from smartstore.site import load_site
    from smartstore.site.sight import CLASSES_PX_M

    site = load_site(store)
    found = covered(site, density)
    if out is not None:
        draw(out, site, found)
    if as_json:
        print(json.dumps(found.document(), indent=2))
        return
    console = Console(file=sys.stdout, markup=False)
    console.print(_shares({"share": found}, f"{site.name}, {len(found.cameras)} cameras, {density:g} people per m²"))
    classes = Table("class", "pixels per metre", "share of shelf faces", title="IEC 62676-4:2025")
    for name, share in found.classes.items():
        classes.add_row(name, f"{CLASSES_PX_M[name]:g}", f"{share:.1%}")
    console.print(classes)
    for spot in found.blind_floor:
        print(f"blind: {spot.area_m2:.2f} m² of floor around ({spot.x_m:.1f}, {spot.y_m:.1f})")
    for name in found.blind_facings:
        print(f"blind: facing {name} of {site.facings[name].fixture}")
    if not found.blind_floor and not found.blind_facings:
        print("no blind spots")


@app.command("place-cameras")
def place_cameras(
    store: StoreFile,
    out: Annotated[Path, typer.Option(help="File for the store document with the proposed cameras")],
    count: Annotated[int | None, typer.Option(min=1, max=60, help="How many ceiling cameras")] = None,
    wanted: Annotated[
        float | None,
        typer.Option(
            "--coverage", min=0.01, max=1, help="As few as let two cameras see this share of floor and shelves"
        ),
    ] = None,
) -> None:
    """Propose where to hang ceiling cameras, with the lens of the store's own; shelf cameras stay as they are."""
    from sims.lab.place import place, with_cameras
    from smartstore.site import load_site
    from smartstore.site.writing import moved_document, read_document, save

    if (count is None) == (wanted is None):
        raise typer.BadParameter("say either --count or --coverage", param_hint="--count")
    site, console = load_site(store), Console(stderr=True, markup=False)
    with console.status("looking for the best places ...") as status:
        found = place(site, count, wanted, status.update)
    save(moved_document(with_cameras(read_document(store), found.cameras), store, out), out)
    title = f"{site.name}: {len(found.cameras)} ceiling cameras, written to {out}"
    print_whole(_shares({"now": found.before, "proposed": found.after}, title))


def _shares(found: "dict[str, Coverage]", title: str) -> Table:
    """Shares by number of cameras, a column for each coverage."""
    table = Table("", "seen by", *found, title=title)
    for part in ("floor", "shelf"):
        for index, text in enumerate(("1 camera or more", "2 or more", "3 or more")):
            shares = (f"{getattr(covered, part)[index]:.1%}" for covered in found.values())
            table.add_row({"floor": "floor", "shelf": "shelf faces"}[part] if index == 0 else "", text, *shares)
    return table
