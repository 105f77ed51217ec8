"""Work side by side: a thread a core, in each of which torch computes on one.

Two threads that share each operation wait for each other whenever one of them has something else to do.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def a_thread_a_core() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """As many threads as torch has now, and how many; what waits for them at the end is dropped."""
    count = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool, count
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(count)  # what a thread sets for itself is also the default of threads to come
