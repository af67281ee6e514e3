"""Rules: what a pipeline's owner knows of its rows, one query a file, `pipelines/<name>/rules/<rule>.sql`.

    -- The weekday is that of the span.
    -- at most 0.5 % of rows

    FROM examples WHERE weekday <> isodow($span::DATE)

The comment that the file begins with is the sentence told to whoever is on call; the query returns
the rows that break the rule. A line `at most … % of rows` in that comment lets so many of them be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from components import home
from components.errors import UsageError

FOLDER = "rules"
SHARE = re.compile(r"at most (\d+(?:\.\d+)?) ?% of rows\.?")


@dataclass(frozen=True)
class Rule:
    """One rule. `sentence`: what must hold; `share`: of the rows that may break it, 0 for none."""

    path: Path
    sentence: str
    share: float

    @property
    def name(self) -> str:
        """Return the rule's name: that of its file."""
        return self.path.stem

    @property
    def file(self) -> str:
        """Return the file as people name it."""
        return home.short(self.path)


def rules(folder: Path) -> Sequence[Rule]:
    """Return the rules of the pipeline in `folder`, by name; raise UsageError for a file that is none."""
    found = sorted((folder / FOLDER).glob("[!.]*"))  # what begins with a dot is an editor's
    return [_read(path) for path in found]


def _read(path: Path) -> Rule:
    name = home.short(path)
    if path.suffix != ".sql" or not path.is_file():
        raise UsageError(
            f"{name}: is no rule, and would be passed over in silence; a rule is a file such as "
            f"{path.stem}.sql"
        )
    try:
        lines = path.read_text().strip().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is not text: {error}") from None
    comment = [line.lstrip("- ").rstrip() for line in takewhile(_is_comment, lines)]
    shares = [share for line in comment if (share := SHARE.fullmatch(line.lower()))]
    sentence = " ".join(line for line in comment if line and not SHARE.fullmatch(line.lower()))
    if not sentence:
        raise UsageError(
            f"{name}: begins with no sentence; say in a comment on its first line what must hold, "
            "for whoever is on call"
        )
    if len(shares) > 1 or (not shares and re.search("%.*rows?", sentence)):
        raise UsageError(
            f"{name}: the share of rows that may break it is not told on one line of the comment, "
            "such as `-- at most 0.5 % of rows`"
        )
    if len(lines) == len(comment):
        raise UsageError(
            f"{name}: holds no query; return the rows of `examples` that break the rule"
        )
    return Rule(path, sentence.rstrip("."), float(shares[0][1]) / 100 if shares else 0)


def _is_comment(line: str) -> bool:
    return line.startswith("--")
