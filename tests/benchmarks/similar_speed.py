"""How long search takes, beside the matrix product alone; and what faiss finds, and holds, at a million items.

    python tests/benchmarks/similar_speed.py [items=50000] [size=128] [queries=1000] [k=10] [threads=2] [rounds=15]
    python tests/benchmarks/similar_speed.py approximate=1000000 [size=128]

Vectors are drawn around centres, as items of a catalogue lie around its articles. The product alone, into memory that
is there already, and the search take turns, round by round, so that both see the same machine; medians are given. Of
the product the faster way round counts. Prints one JSON object.
"""

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from speed_parts.turns import in_turns, seconds
from torch import Tensor
from torch.nn.functional import normalize

from fashionmt.item_index.approximate import Held, make_approximate, read_approximate
from fashionmt.item_index.description import BundleMark, Description
from fashionmt.ranking import top_k, top_k_among
from fashionmt.storage import make_folder

CENTRES, SPREAD = 500, 0.5
"""Of the drawn vectors; each differs from its centre by so much of the centre's length."""


def drawn(count: int, size: int, seed: int) -> Tensor:
    """Unit vectors, float32 (count, size)."""
    centres = normalize(torch.randn(CENTRES, size, generator=torch.Generator().manual_seed(1)), dim=1)
    generator = torch.Generator().manual_seed(seed)
    chosen = centres[torch.randint(CENTRES, (count,), generator=generator)]
    return normalize(chosen + SPREAD / size**0.5 * torch.randn(count, size, generator=generator), dim=1)


def in_turn(rounds: int, *tasks: Callable[[], object]) -> list[float]:
    """The median milliseconds of each task, after one round that does not count."""
    for task in tasks:
        task()
    times = in_turns(rounds, {str(i): partial(seconds, task) for i, task in enumerate(tasks)})
    return [1000 * statistics.median(taken) for taken in times.values()]


def exact(items: int, size: int, queries: int, k: int, rounds: int) -> dict[str, object]:
    """One query, and many."""
    catalogue, asked = drawn(items, size, 2), drawn(queries, size, 3)
    found: dict[str, object] = {"items": items, "size": size, "k": k, "threads": torch.get_num_threads()}
    for name, some in (("one", asked[:1]), ("many", asked)):
        room = torch.empty(len(some), items)

        def product(some: Tensor = some, room: Tensor = room) -> None:
            torch.mm(some, catalogue.T, out=room)

        def turned(some: Tensor = some, room: Tensor = room) -> None:
            torch.mm(catalogue, some.T, out=room.view(items, -1))

        def search(some: Tensor = some) -> None:
            top_k(some, catalogue, k, longest=1.001)

        *products, taken = in_turn(rounds, product, turned, search)
        bare = min(products)
        found[name] = {
            "queries": len(some),
            "product_ms": round(bare, 3),
            "search_ms": round(taken, 3),
            "share_of_product": round(bare / taken, 3),
        }
    return found


def approximate(items: int, size: int, k: int, rounds: int) -> dict[str, object]:
    """What it takes to make, load and ask, and the recall on queries that are no items."""
    catalogue, asked = drawn(items, size, 2), drawn(1000, size, 3)
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder))
        empty = Description(BundleMark("drawn", "0" * 64), size, "fused", ())
        held = Held(Path(folder), empty, catalogue, torch.arange(items).numpy())
        began = time.perf_counter()
        description = make_approximate(held, 0.98)
        made = time.perf_counter() - began
        before = megabytes()
        began = time.perf_counter()
        lists = read_approximate(Held(Path(folder), description, catalogue, held.order))
        loaded = time.perf_counter() - began
        assert lists is not None
        after = megabytes()

        def search(some: Tensor) -> Tensor:
            return top_k_among(some, catalogue, torch.from_numpy(lists.candidates(some.numpy(), k)), k).rows

        one, many = in_turn(rounds, lambda: search(asked[:1]), lambda: search(asked))
        true, found = top_k(asked, catalogue, k, longest=1.001).rows, search(asked)
        recall = float((true[:, :, None] == found[:, None, :]).any(2).float().mean())
    stated = description.approximate
    assert stated is not None
    return {
        "items": items,
        "size": size,
        "threads": torch.get_num_threads(),
        "lists": stated.lists,
        "probes": stated.probes,
        "recall_when_made": stated.recall,
        f"recall_at_{k}_of_others": round(recall, 4),
        "make_seconds": round(made, 1),
        "load_seconds": round(loaded, 1),
        "vectors_megabytes": round(catalogue.nbytes / 1e6),
        "lists_megabytes": round(after - before),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "one_query_ms": round(one, 3),
        "1000_queries_ms": round(many, 1),
    }


def megabytes() -> float:
    """That the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    torch.set_num_threads(int(options.get("threads", "2")))
    size, k, rounds = (
        int(options.get(name, value)) for name, value in (("size", "128"), ("k", "10"), ("rounds", "15"))
    )
    if "approximate" in options:
        print(json.dumps(approximate(int(options["approximate"]), size, k, rounds)))
    else:
        items, queries = int(options.get("items", "50000")), int(options.get("queries", "1000"))
        print(json.dumps(exact(items, size, queries, k, rounds)))


if __name__ == "__main__":
    main()
