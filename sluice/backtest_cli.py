"""sluice backtest: what the gates would have done, had a pipeline run through some spans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from components import pipelines
from sluice.console import Json, Pipeline, err, out, print_json
from sluice.drive import Exit, hush

if TYPE_CHECKING:
    from components.backtest.report import Figure, Report


def backtest(
    pipeline: Pipeline,
    start: Annotated[str, typer.Option("--from", help="The first span to retrain on.")],
    end: Annotated[str, typer.Option("--to", help="The last span.")],
    every: Annotated[int, typer.Option(help="Retrain on every N-th span.")] = 1,
    workers: Annotated[
        int | None, typer.Option(help="Processes that train ahead; one a core but one without it.")
    ] = None,
    infra: Annotated[
        bool, typer.Option("--infra", help="Ask the infra gate too: a server a candidate.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Retrain and judge span by span without releasing, and show what would have come of it.

    The served model is held against always releasing and never retraining, on labels that came later.
    Killed and run again, it goes on. Exit code: 0 something would be released, 3 all of it halted,
    2 wrong use, 1 broken.
    """
    from components import backtest as rolling

    hush()

    def tell(span: str, message: str, done: int, of: int, left_s: float) -> None:
        left = f"{left_s / 60:.0f} min" if left_s >= 90 else f"{left_s:.0f} s"
        err.print(f"[dim]{done:>4} of {of}, {left} left[/dim]  {span}  {escape(message)}")

    what = pipelines.load(pipeline)
    report = rolling.backtest(
        what, start, end, every=every, workers=workers, infra=infra, tell=tell
    )
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _show(report, Path(report.folder) / rolling.PAGE)
    raise typer.Exit(Exit.RELEASED if report.released else Exit.HALTED)


def _show(report: Report, page: Path) -> None:
    """Print the spans, the policies, and where the page is."""
    fares = report.fares
    days = {day.span: day for day in fares.days}
    table = Table("span", "outcome", *fares.pooled, "", box=None, pad_edge=False)
    for one in report.tried:
        colour = {"released": "green", "kept": "dim"}.get(one.outcome, "red")
        of_day = days[one.span].metric if one.span in days else {}
        figures = [_number(of_day.get(policy)) for policy in fares.pooled]
        told = one.reason if one.outcome == "released" else one.line
        table.add_row(one.span, f"[{colour}]{one.outcome}[/]", *figures, escape(told))
    out.print(table)
    counted = sum(day.counts for day in fares.days)
    out.print(f"\n{fares.metric} of {counted} days, on labels that came later; {fares.goal}:")
    for policy, figure in fares.pooled.items():
        against = fares.differences.get(policy)
        told = f"   gated less {policy}: {_told(against, '+.4f')}" if against else ""
        out.print(f"  {policy:<7} {_told(figure, '.4f')}{told}", markup=False)
    out.print(
        f"\n{len(report.released)} of {len(report.tried)} would be released, "
        f"{len(report.halted)} halted; nothing was. {page}"
    )


def _told(figure: Figure, form: str) -> str:
    if figure.value is None:
        return "undefined"
    told = f"{figure.value:{form}}"
    if figure.low is None or figure.high is None:
        return told
    return f"{told} [{figure.low:{form}}, {figure.high:{form}}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
