"""The command line: `sluice --help`."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from components import pipelines
from components.errors import SluiceError, UsageError
from sluice import backtest_cli, schema_cli, span_cli
from sluice.console import Json, Pipeline, err, out, print_json
from sluice.drive import Exit

app = typer.Typer(
    help="Retrain a model when its data moves, and let nothing through that cannot be vouched for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(schema_cli.app, name="schema")


@app.command()
def run(
    pipeline: Pipeline,
    span: Annotated[str, typer.Argument(help="The day to retrain on, such as 2013-02-08.")],
    tune: Annotated[
        bool, typer.Option("--tune", help="Search for hyperparameters before it trains.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Retrain on a span, without Airflow: every step and every gate, in this process.

    Exit code: 0 released, 3 halted at a gate, 2 wrong use, 1 broken.
    """
    from sluice import drive

    def tell(step: str, message: str, seconds: float | None) -> None:
        if seconds is None:
            if err.is_terminal:
                err.print(f"  [dim]… {step}[/dim]", end="\r")
        else:
            err.print(f"[green]✓[/green] {step:<15} {seconds:6.1f} s  {escape(message)}")

    result = drive.run(pipeline, span, tell, tune=tune)
    if as_json:
        release = result.release.model_dump(mode="json") if result.release else None
        print_json({**vars(result), "outcome": result.outcome.name.lower(), "release": release})
    elif result.release:
        out.print(
            f"[bold green]released[/bold green] {pipeline} {span} as version "
            f"{result.release.version} in {result.seconds:.0f} s"
        )
    else:
        word = "halted" if result.outcome is Exit.HALTED else "broken"
        out.print(f"[bold red]{word}[/bold red] {escape(result.reason)}")
        if result.run:
            out.print(f"        sluice show {result.run}")
    raise typer.Exit(result.outcome)


@app.command()
def status(as_json: Json = False) -> None:
    """Show what runs, what serves, and how the latest runs ended."""
    from sluice import overview, stack

    known = [overview.pipeline(name) for name in pipelines.names()]
    parts = stack.status()
    if as_json:
        print_json({"pipelines": known, "stack": [vars(part) for part in parts]})
        return
    table = Table(
        "pipeline", "serves", "of span", "latest run", "outcome", box=None, pad_edge=False
    )
    for told in known:
        serving, latest = told["serving"], told["latest_run"]
        table.add_row(
            told["pipeline"],
            f"version {serving['version']}" if serving else "nothing yet",
            serving["span"] if serving else "",
            latest["run"] if latest else "",
            _coloured(latest["outcome"]) if latest else escape(told["problem"]),
        )
    out.print(table)
    for told in known:
        if told["latest_run"] and told["latest_run"]["outcome"] not in ("released", "unfinished"):
            out.print(f"  {escape(told['latest_run']['reason'])}")
    out.print()
    stack.print_status(parts, out)


@app.command()
def releases(pipeline: Pipeline, as_json: Json = False) -> None:
    """List what was handed to the servers, oldest first, from the ledger."""
    from components import ledger

    pipelines.load(pipeline)
    entries = ledger.releases(pipeline)
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in entries])
        return
    if not entries:
        out.print(f"nothing of {pipeline} is released yet; begin with: sluice run {pipeline} SPAN")
        return
    metrics = sorted({name for entry in entries for name in entry.metrics})
    table = Table("version", "span", "released", "run", *metrics, box=None, pad_edge=False)
    for entry in entries:
        figures = [f"{entry.metrics[m]:.4f}" if m in entry.metrics else "" for m in metrics]
        at = entry.at.isoformat(timespec="seconds")
        table.add_row(str(entry.version), entry.span, at, entry.run, *figures)
    out.print(table)


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="A run's id, or its span.")], as_json: Json = False
) -> None:
    """Show a run: its steps, verdicts, inputs and cost. --json has every manifest in full."""
    from sluice import overview

    told = overview.show(overview.find(run))
    if as_json:
        print_json(told)
        return
    out.print(f"run {told['run']}, version {told['version']}: {_coloured(told['outcome'])}")
    if told["reason"]:
        out.print(f"  {escape(told['reason'])}")
    table = Table("step", "outcome", "s", "CPU s", "peak MB", "", box=None, pad_edge=False)
    for step in told["steps"]:
        manifest = step.get("manifest", {})
        summary = manifest.get("facts", {}).get("summary", "") or step["message"]
        table.add_row(
            step["step"],
            _coloured(step["outcome"]),
            f"{step['seconds']:.1f}",
            f"{manifest['cpu_seconds']:.1f}" if manifest else "",
            f"{manifest['peak_memory_mb']:.0f}" if manifest else "",
            escape(step.get("problem", "") or summary),
        )
    out.print(table)
    out.print(f"  {len(told['examples'])} spans in reach; files:")
    for step in told["steps"]:
        if "folder" in step:
            out.print(f"  {step['folder']}")


for command in (span_cli.ingest, span_cli.quarantine, span_cli.admit, backtest_cli.backtest):
    app.command()(command)


@app.command()
def up(
    serving_only: Annotated[
        bool, typer.Option("--serving-only", help="Only the model servers and the gateway.")
    ] = False,
) -> None:
    """Start the stack under its supervisor, and wait until it answers. Harmless when it is up."""
    from sluice import stack

    stack.up(serving_only=serving_only)


@app.command()
def down() -> None:
    """Stop the stack: the gateway is drained first, and no process is left."""
    from sluice import stack

    stack.down()


@app.command()
def logs(
    component: Annotated[str, typer.Argument(help="One component; all of them without.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they grow.")] = False,
) -> None:
    """Show the last lines of the stack's logs."""
    from sluice import stack

    stack.logs(component or None, follow=follow)


@app.command()
def demo() -> None:
    """Land real flights and let Airflow retrain on three days, the last of them a blizzard."""
    from sluice import demo as story

    raise typer.Exit(story.run(out))


def main() -> None:
    """Run the command line; every expected failure is one line and an exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        app()
    except UsageError as error:
        err.print(f"[bold red]wrong use[/bold red] {escape(str(error))}")
        sys.exit(Exit.WRONG_USE)
    except (SluiceError, OSError) as error:
        err.print(f"[bold red]broken[/bold red] {escape(str(error))}")
        sys.exit(Exit.BROKEN)
    except KeyboardInterrupt:
        sys.exit(130)


def _coloured(outcome: str) -> str:
    colour = {"released": "green", "passed": "green", "done": "green", "halted": "red"}
    return f"[{colour.get(outcome, 'yellow')}]{outcome}[/]"


if __name__ == "__main__":
    main()
