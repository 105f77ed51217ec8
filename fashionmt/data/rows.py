"""Which rows of a catalogue: what splits deal and datasets gather."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
"""Row numbers, ascending, shape (rows,)."""
