"""`sluice schema`: draft the data contract of a pipeline, see what changed in it, mend it after a halt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from components import home, pipelines, spans
from components.errors import UsageError
from components.files import write_atomically
from sluice.console import Json, Pipeline, err, out, print_json

if TYPE_CHECKING:
    from components.schema_life.diff import Change

app = typer.Typer(
    help="Draft, compare and amend the data contract, schemas/PIPELINE.pbtxt.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

COLOURS = {"tightens": "green", "loosens": "yellow", "changes": "cyan"}
BY_SCHEMA = ("contract", "serving contract", "drift", "volume")  # checks that the schema decides


@app.command()
def infer(
    pipeline: Pipeline,
    over: Annotated[
        list[str],
        typer.Option(
            "--spans",
            metavar="FIRST..LAST",
            help="Draw it from these, such as 2013-01-01..2013-03-31; more than once, to leave out "
            "what was not sound.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="Write it here, such as schemas/flights.pbtxt.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Draft a schema from many spans, a reason at every line, and print it.

    It is to be read and mended: it knows what came, not what may come.

    pipeline.yaml and ingest.sql are all it needs. Where there is a schema
    already, that says what the columns are, and the spans what they hold.

    Take 28 spans at least, better 60: fewer close nothing, and know no season.
    """
    from components.schema_life import infer as drafting
    from components.schema_life.observed import observe
    from sluice.drive import hush

    hush()

    if output and output.exists() and not force:
        raise UsageError(f"{output} is there already; --force overwrites it")
    what = pipelines.outline(pipeline)
    with err.status("") as status:

        def tell(told: str) -> None:
            status.update(f"[dim]{escape(told)}[/dim]")

        seen = observe(what, _spans(over), tell)
        text = drafting.draft(what, seen, tell)
    if output:
        write_atomically(output, text)
    else:
        print(text, end="")
    err.print(f"drafted from {len(seen.spans)} spans" + (f": {output}" if output else ""))
    if seen.absent:
        first = next(iter(seen.absent.values()))
        err.print(f"[yellow]{len(seen.absent)} could not be read[/yellow]: {escape(first)}")


@app.command()
def diff(
    pipeline: Pipeline,
    against: Annotated[
        str,
        typer.Option(help="How it stood before: in a file, for a run, or at a git revision."),
    ] = "HEAD",
    as_json: Json = False,
) -> None:
    """Say what changed in a schema, a line a change, and which way.

    What tightens refuses what passed before; what loosens lets it pass.
    """
    from components import schema
    from components.schema_life import versions
    from components.schema_life.diff import changes

    path = pipelines.outline(pipeline).schema_path
    before = versions.text_of(pipeline, against)
    found = changes(schema.parse(before, f"{path.name} at {against}"), schema.load(path))
    if as_json:
        print_json([change._asdict() for change in found])
    elif not found:
        out.print(f"schemas/{path.name} means what it meant at {escape(against)}")
    for change in found if not as_json else ():
        _print_change(change)


@app.command()
def suggest(
    run: Annotated[str, typer.Argument(help="A run's id, or its span.")],
    apply: Annotated[bool, typer.Option("--apply", help="Make the change in the file.")] = False,
    as_json: Json = False,
) -> None:
    """Show the least change of the schema that accepts what a run halted on.

    It is a diff, for `git apply` or for you to judge: what is let in for one
    span is let in for all that come. For one span alone: sluice admit.
    """
    from components import gates, runs
    from components.schema_life.suggest import of_run
    from sluice import overview
    from sluice.drive import hush

    hush()
    ran = overview.find(run)
    found = of_run(ran)
    beyond = [
        check.message
        for check in gates.read(runs.artifact(ran, "validate_data")).offences
        if check.name not in BY_SCHEMA
    ]
    if apply and found.diff:
        write_atomically(home.home() / found.path, found.new)
    if as_json:
        told = {"diff": found.diff, "changes": [c._asdict() for c in found.changes]}
        print_json(
            {**told, "means": found.means, "left": [r.told for r in found.left], "beyond": beyond}
        )
        return
    out.print(escape(found.told) or f"{found.path} as it stands has nothing against {ran.span}")
    for message in beyond:
        out.print(f"[red]the schema has no say in[/red] {escape(message)}")
    if apply and found.diff:
        err.print(f"{found.path} is changed; judge anew with: sluice run {ran.pipeline} {ran.span}")
    else:
        err.print(f"for this span alone: sluice admit {ran.pipeline} {ran.span} --because …")


def _spans(ranges: list[str]) -> list[str]:
    """Return the spans of `FIRST..LAST`, or of one key, for each range, oldest first."""
    named: set[str] = set()
    for range_ in ranges:
        first, dots, last = range_.partition("..")
        between = spans.between(first, last if dots else first)
        if not between:
            raise UsageError(f"--spans {range_}: ends before it begins; write FIRST..LAST")
        named.update(between)
    return sorted(named)


def _print_change(change: Change) -> None:
    colour = COLOURS[change.effect]
    out.print(f"[{colour}]{change.effect:<10}[/]{escape(change.subject):<14}{escape(change.told)}")
