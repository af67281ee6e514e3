"""What becomes of spans: take one in again, see which were refused, let one in all the same."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from components import pipelines
from components.errors import UsageError
from sluice.console import Json, Pipeline, err, out, print_json
from sluice.drive import Exit


def ingest(
    pipeline: Pipeline,
    span: Annotated[str, typer.Argument(help="The day that was delivered again.")],
    as_json: Json = False,
) -> None:
    """Read a span from its source again, such as a corrected delivery; later runs use it.

    A span that the data gate refused is read again by itself. Exit code 3: it is not fit to take in.
    """
    from components import ingest as arrivals
    from components import spans
    from components.ingest.source import Refused

    what = pipelines.load(pipeline)
    spans.parse(span)
    try:
        before = arrivals.current(what, span).digest
    except UsageError:
        before = ""
    try:
        examples = arrivals.ingest(what, span)
    except Refused as refused:
        err.print(f"[bold red]halted[/bold red] {escape(str(refused))}")
        raise typer.Exit(Exit.HALTED) from None
    new = examples.digest != before
    if as_json:
        print_json({"span": span, "examples": examples.digest, "new": new, **examples.facts})
        return
    told = "windows have them once the data gate lets them in" if new else "as they were before"
    out.print(f"took in {examples.facts['summary']} (examples {examples.digest[:12]}): {told}")


def quarantine(pipeline: Pipeline, as_json: Json = False) -> None:
    """List the deliveries that the data gate refused: since when, why, and what became of them."""
    from components import quarantine

    found = quarantine.deliveries(pipelines.load(pipeline))
    if as_json:
        print_json([delivery.model_dump(mode="json") for delivery in found])
        return
    if not found:
        out.print(f"the data gate has refused nothing of {pipeline}")
        return
    table = Table("span", "since", "state", "why", box=None, pad_edge=False)
    for one in found:
        by = f" by {one.admission.by}" if one.admission and one.state == "admitted" else ""
        because = f"; admitted: {one.admission.because}" if one.admission else ""
        since = one.since.isoformat(sep=" ", timespec="minutes")[:16]
        table.add_row(one.span, since, one.state + by, escape(one.reason + because))
    out.print(table)


def admit(
    pipeline: Pipeline,
    span: Annotated[str, typer.Argument(help="The span that the data gate refused.")],
    because: Annotated[str, typer.Option(help="Why these rows may train a model; recorded.")],
    as_json: Json = False,
) -> None:
    """Let a span that the data gate refused into the windows, and write down why."""
    from components import admissions
    from components import ingest as arrivals

    examples = arrivals.current(pipelines.load(pipeline), span)
    admission = admissions.admit(pipeline, span, examples.digest, because)
    if as_json:
        print_json(admission.model_dump(mode="json"))
        return
    out.print(
        f"admitted {pipeline} {span} (examples {examples.digest[:12]}) by {admission.by}; "
        f"later windows include it. To release on it: sluice run {pipeline} {span}"
    )
