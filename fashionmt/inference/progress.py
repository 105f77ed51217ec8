"""How far a job is, on stderr: a bar on a terminal, a line every half minute elsewhere."""

import resource
import sys
import time

from tqdm import tqdm

from fashionmt.inference.part import RowsDone

SECONDS = 30.0


class Progress:
    """Rows done, of how many."""

    def __init__(self, total: int, doing: str = "tagging", unit: str = "rows") -> None:
        self.began = self.told = time.monotonic()
        self.total, self.done, self.quarantined = total, 0, 0
        self._unit = unit
        self._bar = tqdm(total=total, desc=doing, unit=f" {unit}", disable=not sys.stderr.isatty())

    def add(self, done: RowsDone) -> None:
        """So many more."""
        self.done += done.rows
        self.quarantined += done.quarantined
        self._bar.update(done.rows)
        now = time.monotonic()
        if now - self.told >= SECONDS:
            self.told = now
            self._tell(now)

    def close(self) -> None:
        """No more."""
        self._bar.close()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.done / self.seconds if self.seconds else 0.0

    def _tell(self, now: float) -> None:
        text = f"{self.quarantined} quarantined, {peak_megabytes():.0f} MB"
        if not self._bar.disable:
            self._bar.set_postfix_str(text)
            return
        left = tqdm.format_interval((self.total - self.done) / self.rate) if self.rate else "?"
        line = f"{self.done} of {self.total} {self._unit}  {self.rate:.0f} {self._unit}/s  {left} left  {text}\n"
        sys.stderr.write(line)


def peak_megabytes() -> float:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
