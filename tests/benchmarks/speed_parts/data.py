"""The data alone: rows parsed, titles tokenised, pictures decoded into a cache or found there, batches gathered."""

import itertools

from fashionmt.data.catalogue import CatalogueFiles
from fashionmt.data.picture_cache import open_pictures
from fashionmt.data.stored_catalogue import read_catalogue
from fashionmt.training.run import build_batches
from speed_parts.settings import Settings
from speed_parts.turns import Figure, in_turns, rate


def measure(settings: Settings) -> list[Figure]:
    """Rates. Files are in the operating system's cache after the turn that does not count; what is cold is ours."""
    config, data = settings.config, settings.data
    files = CatalogueFiles.locate(config.data)
    catalogue, _ = read_catalogue(files, config.data, settings.folder)
    paths = catalogue.pictures[: settings.items]
    loader = build_batches(config, data).train_dataloader()
    caches = (settings.folder / f"cache-{number}" for number in itertools.count())
    warm = next(caches)
    open_pictures(paths, config.preprocess, warm)
    named = sum(path is not None for path in paths)
    tasks = {
        "rows_parsed": rate(len(catalogue), lambda: read_catalogue(files, config.data, settings.folder)),
        "titles_encoded": rate(len(data.raw_titles), lambda: data.titles.encode(data.raw_titles)),
        "pictures_decoded": rate(named, lambda: open_pictures(paths, config.preprocess, next(caches))),
        "pictures_found": rate(named, lambda: open_pictures(paths, config.preprocess, warm)),
        "items_gathered": rate(len(data.split.train), lambda: [len(batch) for batch in loader]),
    }
    for task in tasks.values():
        task()
    found = in_turns(settings.repeats, tasks, "data")
    units = {
        "rows_parsed": "rows/s",
        "titles_encoded": "titles/s",
        "pictures_decoded": "pictures/s into a new cache",
        "pictures_found": "pictures/s in the cache",
        "items_gathered": "items/s in training batches",
    }
    return [Figure(name, found[name], unit) for name, unit in units.items()]
