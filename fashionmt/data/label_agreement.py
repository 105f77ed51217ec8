"""How far a catalogue's labels agree with themselves: what no model that sees titles and pictures can know better."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashionmt.attributes import MISSING


def family_agreement(families: npt.NDArray[np.str_], labels: npt.NDArray[np.int64]) -> dict[str, float | int | None]:
    """How often an item has the label of another of its family, of the same title or picture that is.

    Args:
        families: (items,).
        labels: (items,), `MISSING` where there is none.

    Returns:
        `agreement`: the share of other members that agree, averaged over the items that have any, None where none
        has; `items`: how many these are.
    """
    table = pd.DataFrame({"family": families, "label": labels})[labels != MISSING]
    others = table.groupby("family")["label"].transform("size") - 1
    alike = table.groupby(["family", "label"])["label"].transform("size") - 1
    shared = others > 0
    share = (alike[shared] / others[shared]).mean()
    return {"agreement": float(share) if shared.any() else None, "items": int(shared.sum())}
