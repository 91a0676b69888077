"""``smartstore site …``: store documents checked, changed and drawn. In: files. Out: files, and what is to be said."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from smartstore.site import Site

Store = Annotated[Path, typer.Argument(metavar="STORE", help="Store document, for example configs/stores/corner.yaml")]

app = typer.Typer(help="Store documents.", no_args_is_help=True)


@app.command()
def check(file: Annotated[Path, typer.Argument(help="Store document")]) -> None:
    """Name every error of a store document with its place in the file."""
    from smartstore.site import SiteError, load_site

    try:
        site = load_site(file)
    except SiteError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{file}: no errors; {_parts(site)}")


@app.command()
def new(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="File for the store document")],
    name: Annotated[str, typer.Option(prompt="Name of the store", help="Name of the store")] = "My store",
    width: Annotated[float, typer.Option(prompt="Width of the room, m", help="Along the entry wall, m")] = 6.0,
    depth: Annotated[float, typer.Option(prompt="Depth of the room, m", help="Away from it, m")] = 8.0,
    ceiling: Annotated[float, typer.Option(prompt="Height of the ceiling, m", min=2.4, max=6, help="m")] = 3.0,
    coolers: Annotated[int, typer.Option(prompt="Coolers along the right wall", min=0, max=20, help="How many")] = 1,
    currency: Annotated[str, typer.Option(prompt="Currency, ISO 4217", help="ISO 4217")] = "EUR",
    catalogue: Annotated[Path, typer.Option(prompt="Catalogue of what is sold", help="Catalogue document")] = Path(
        "data/catalogues/corner.yaml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Write over FILE where there is one")] = False,
) -> None:
    """Lay out a new store from a few answers; what is not given as an option is asked for."""
    from smartstore.site.new import Wishes, new_store
    from smartstore.site.writing import EditError, save_text

    if out.exists() and not force:
        raise EditError(f"{out}: is there already; name another file, or say --force")
    wishes = Wishes(name, width, depth, catalogue, ceiling, coolers, currency)
    site = save_text(new_store(wishes, out), out)
    typer.echo(f"{out}: written; {_parts(site)}")


@app.command()
def lint(
    store: Store,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON and nothing else")] = False,
) -> None:
    """Look at a sound store with a planner's eye: aisles, reach, weights, sight, signs, exits.

    Exit code 0: no errors (there may be warnings); 1: errors; 2: the document cannot be used, see `site check`.
    """
    from smartstore.console import print_json
    from smartstore.site import load_site
    from smartstore.site.lint import lint as found_in

    findings = found_in(load_site(store))
    errors = sum(finding.level == "error" for finding in findings)
    if as_json:
        print_json([finding.document() for finding in findings])
    else:
        for finding in findings:
            typer.echo(str(finding))
        typer.echo(f"{store}: {errors} errors, {len(findings) - errors} warnings")
    if errors:
        raise typer.Exit(1)


@app.command()
def draw(
    store: Store,
    out: Annotated[Path, typer.Option(help="File for the plan: .svg, .png or .pdf")],
) -> None:
    """Draw an annotated plan: fixtures with facings, cameras with what they look at, scales, gates, dimensions."""
    from smartstore.site import load_site
    from smartstore.site.draw import FORMATS, draw_plan

    if out.suffix not in FORMATS:
        raise typer.BadParameter(f"{out.name} does not end in {', '.join(FORMATS)}", param_hint="--out")
    draw_plan(load_site(store), out)
    typer.echo(f"{out}: written")


@app.command()
def edit(
    store: Store,
    operations: Annotated[list[str], typer.Argument(metavar="OPERATION...", help="Each in quotes, as below")],
    out: Annotated[Path | None, typer.Option(help="File for the result; STORE itself if not said")] = None,
) -> None:
    """Change a store document and keep its comments; what would not pass `site check` is not written.

    Operations: "move ID DX DY [DZ]" (a fixture or camera, in metres), "move PLATE DU", "rotate ID DEGREES"
    (counter-clockwise), "add fixture {...}", "add camera {...}" (in the keys of the document), "add scale FIXTURE",
    "remove ID" (a fixture, camera or plate), "remove scale FIXTURE", "swap FACING FACING".
    """
    from smartstore.site.edit import edited
    from smartstore.site.writing import EditError, moved_document, read_document, save

    target = out or store
    try:
        site = save(moved_document(edited(read_document(store), operations), store, target), target)
    except EditError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise
    typer.echo(f"{target}: written; {_parts(site)}")


def _parts(site: "Site") -> str:
    parts = {"fixtures": site.fixtures, "facings": site.facings, "items": site.items, "cameras": site.cameras}
    return ", ".join(f"{len(found)} {name}" for name, found in parts.items())
