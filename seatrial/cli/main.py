"""``seatrial``: the commands, and how an error becomes three lines and an exit code."""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer

from seatrial import __version__
from seatrial.cli import compile, endpoint, graph, launch, models, permissions, predict, rehearse, report, run, serve
from seatrial.cli.output import print_error
from seatrial.errors import ResourceError, SeatrialError

app = typer.Typer(
    name="seatrial",
    help="One definition of a machine-learning system, from raw data to a governed, monitored endpoint.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


app.command("run")(run.run)
app.command("rehearse")(rehearse.rehearse)
app.command("launch")(launch.launch)
app.command("compile")(compile.compile_)
app.command("graph")(graph.graph)
app.command("predict")(predict.predict)
app.command("serve")(serve.serve)
app.command("models")(models.models)
app.command("permissions")(permissions.permissions)
app.command("report")(report.report)
app.add_typer(endpoint.app, name="endpoint")


def main() -> None:
    """The console script."""
    as_json = "--json" in sys.argv
    try:
        app()
    except SeatrialError as exc:
        print_error(exc, as_json=as_json)
        sys.exit(exc.exit_code)
    except OSError as exc:
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        told = ResourceError(
            f"{exc.filename or 'a file'}: {exc.strerror}",
            why="The command could not write what it had to.",
            todo="Free some space or correct the permissions, then run the same command again.",
        )
        print_error(told, as_json=as_json)
        sys.exit(told.exit_code)


if __name__ == "__main__":
    main()
