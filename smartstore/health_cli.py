"""``smartstore health``: how a running service is. In: its address. Out: what is wrong, and an exit code."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def health(
    url: Annotated[str, typer.Option(help="Where the service is watched")] = "http://127.0.0.1:9464",
) -> None:
    """Say what is wrong with a service that runs with --metrics-port; exit code 0 when nothing is, else 1."""
    from smartstore.metrics import ask_health

    problems = ask_health(url.rstrip("/"))
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(1)
    typer.echo("healthy")
