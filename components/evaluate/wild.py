"""wild: no answer far from all that was ever seen.

One absurd number in ten thousand makes the mean error so uncertain that no regression of it is
credible, however bad: the candidate would be the better off for it. So it fails for that alone.
"""

from __future__ import annotations

import numpy as np

from components.evaluate.population import CANDIDATE, Population
from components.verdict import Check, Status

FAR = 10.0  # times the range of the labels, beyond them


def wild(judging: Population) -> Check:
    """Return the check that all answers lie within ten times the range of the labels that judge."""
    low, high = float(judging.label.min()), float(judging.label.max())
    reach = FAR * ((high - low) or abs(high) or 1.0)
    said = judging.scores[CANDIDATE]
    far = np.maximum(low - said, said - high)
    many, worst = int((far > reach).sum()), int(far.argmax())
    told = (
        f"{many} of {len(said):,} answers are wild, such as {said[worst]:.4g} where all labels lie between "
        f"{low:.4g} and {high:.4g}; look at the net's last layer, and at what it is fed in these rows"
    )
    return Check(
        name="wild",
        status=Status.FAILED if many else Status.PASSED,
        seen=f"{said.min():.4g} to {said.max():.4g}",
        expected=f"within {low - reach:.4g} and {high + reach:.4g}",
        message=told if many else "",
    )
