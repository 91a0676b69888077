"""``smartstore broker …``: what a broker needs. In: a store document. Out: files for it and its clients."""

from pathlib import Path
from typing import Annotated

import typer

from smartstore.console import print_table

SECRETS = Path("configs/mosquitto/secrets")

app = typer.Typer(help="The broker of a store.", no_args_is_help=True)


@app.callback()
def broker() -> None:
    """The broker of a store."""


@app.command()
def credentials(
    store: Annotated[Path, typer.Option("--store", help="Store document, for example configs/stores/corner.yaml")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for certificates and passwords")] = SECRETS,
    host: Annotated[
        list[str] | None, typer.Option(help="Name or address of the broker; localhost is always one")
    ] = None,
    service: Annotated[list[str] | None, typer.Option(help="Name of a service (its --id); main if not said")] = None,
    worker: Annotated[list[str] | None, typer.Option(help="Name of a vision worker (its --id)")] = None,
    tracks: Annotated[list[str] | None, typer.Option(help="System that follows people in 3D, by its name")] = None,
) -> None:
    """Make certificates, passwords and access rules for Mosquitto: an account per device, service and app."""
    from smartstore.bus.credentials import write_credentials
    from smartstore.bus.roles import Members, accounts
    from smartstore.site import load_site

    site = load_site(store)
    members = Members(
        store=site.store,
        cameras=tuple(site.cameras),
        scales=tuple(fixture.id for fixture in site.fixtures.values() if fixture.scale and fixture.shelves),
        gates=tuple(gate.id for gate in site.gates),
        services=tuple(service or ["main"]),
        workers=tuple(worker or ()),
        trackers=tuple(tracks or ()),
    )
    hosts = list(dict.fromkeys([*(host or ()), "localhost", "127.0.0.1"]))
    written = write_credentials(folder, accounts(members), hosts)
    rows = [(user, str(folder / "clients" / f"{user}.yaml"), "kept" if user in written.kept else "new")
            for user in written.accounts]  # fmt: skip
    print_table(("account", "credentials", ""), rows)
    typer.echo(f"{folder} is ready for configs/mosquitto/mosquitto.conf; keep ca.key elsewhere")
