"""The second layer, integrity: what the rows must be among themselves, whatever is usual. It halts.

Refused already at arrival are keys that come twice, rows lost or doubled on the way, and rows of
another span where `ingest.sql` rejects them.

rules       what the pipeline's owner knows of the rows, in SQL      integrity/rules.py
stale       the rows of an earlier span, or a column of them         integrity/stale.py
leak        a column that alone tells the label                      integrity/leak.py
"""

from __future__ import annotations

from components.validate_data.integrity import leak, rules, stale
from components.validate_data.subject import Subject
from components.verdict import Check


def checks(subject: Subject) -> list[Check]:
    """Return the checks of every question of the layer."""
    return [*rules.checks(subject), *stale.checks(subject), *leak.checks(subject)]
