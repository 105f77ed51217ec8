"""Every position once an epoch, the same for one seed and epoch, dealt evenly; a resumed loader gives the rest."""

import copy
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import tiny_dataset, tiny_prepared, tiny_spaces

from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.training.datamodule import (
    CatalogueDataModule,
    EpochBatchSampler,
    ResumableLoader,
)
from fashionmt.training.ordered_batches import OrderedBatches, evaluation_loader

SIZES = [(1, 4), (2, 64), (7, 2), (10, 3), (64, 64), (95, 64), (97, 64), (100, 7), (1000, 33)]
Batches = list[list[int]]


def _flat(batches: Batches) -> list[int]:
    return list(itertools.chain.from_iterable(batches))


def _epoch(sampler: EpochBatchSampler, epoch: int) -> Batches:
    sampler.set_epoch(epoch)
    return [batch.tolist() for batch in sampler]


def _loader(count: int = 23, batch_size: int = 4, seed: int = 5) -> ResumableLoader:
    return ResumableLoader(tiny_dataset(count, side=2), EpochBatchSampler(count, batch_size, seed))


def _rows(loader: ResumableLoader) -> Batches:
    return [batch.labels["row"].tolist() for batch in loader]


def _data(count: int = 40) -> PreparedData:
    dataset = tiny_dataset(count, side=2)
    draw = np.random.default_rng(0).permutation(count)
    split = Split(np.sort(draw[:23]), np.sort(draw[23:34]), np.sort(draw[34:]))
    return tiny_prepared(dataset.items, split, tiny_spaces(), [None] * count)


# The sampler


@pytest.mark.parametrize(("count", "batch_size"), SIZES)
def test_every_position_comes_once_an_epoch(count: int, batch_size: int) -> None:
    sampler = EpochBatchSampler(count, batch_size, seed=0)
    for epoch in range(3):
        assert sorted(_flat(_epoch(sampler, epoch))) == list(range(count))


@pytest.mark.parametrize(("count", "batch_size"), SIZES)
def test_batches_differ_by_at_most_one_in_size_and_are_as_many_as_told(count: int, batch_size: int) -> None:
    sampler = EpochBatchSampler(count, batch_size, seed=0)
    sizes = [len(batch) for batch in _epoch(sampler, 0)]
    assert len(sizes) == len(sampler)
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(3, 1.5 * batch_size)


@pytest.mark.parametrize("world", [1, 3])
@pytest.mark.parametrize("batch_size", [2, 3, 64])
def test_no_item_is_alone_in_a_batch(batch_size: int, world: int) -> None:
    """Batch normalisation needs two."""
    for count in range(2 * world, 200):
        for rank in range(world):
            sampler = EpochBatchSampler(count, batch_size, 0, rank, world)
            assert min(len(batch) for batch in sampler) >= 2


def test_epochs_and_seeds_are_shuffled_differently_and_each_alike_again() -> None:
    orders = [_flat(_epoch(EpochBatchSampler(50, 8, seed), epoch)) for seed in range(3) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 9
    assert tuple(range(50)) not in {tuple(order) for order in orders}
    again = [_flat(_epoch(EpochBatchSampler(50, 8, seed), epoch)) for seed in range(3) for epoch in range(3)]
    assert again == orders


def test_an_epochs_order_does_not_depend_on_the_epochs_before() -> None:
    sampler = EpochBatchSampler(50, 8, seed=0)
    first = _epoch(sampler, 4)
    _epoch(sampler, 0)
    assert _epoch(sampler, 4) == first


@pytest.mark.parametrize("world", [2, 3, 4])
@pytest.mark.parametrize("count", [24, 50, 101])
def test_ranks_share_the_positions_out_in_as_many_batches_each(count: int, world: int) -> None:
    epochs = [_epoch(EpochBatchSampler(count, 5, 0, rank, world), 1) for rank in range(world)]
    assert sorted(position for batches in epochs for batch in batches for position in batch) == list(range(count))
    assert len({len(batches) for batches in epochs}) == 1
    shares = [sum(map(len, batches)) for batches in epochs]
    assert max(shares) - min(shares) <= 1


# Resuming


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_resumed_loader_gives_exactly_the_rest_and_then_the_next_epoch(epoch: int) -> None:
    unbroken = _loader()
    epochs = []
    for number in (epoch, epoch + 1):
        unbroken.sampler.set_epoch(number)
        epochs.append(_rows(unbroken))
    whole = len(epochs[0])
    assert whole > 3
    for given in range(1, whole + 1):
        killed = _loader()
        killed.sampler.set_epoch(epoch)
        batches = iter(killed)
        for _ in range(given):
            next(batches)
        state = copy.deepcopy(killed.state_dict())

        resumed = _loader()
        resumed.load_state_dict(state)
        if given < whole:
            assert _rows(resumed) == epochs[0][given:]
            resumed.sampler.set_epoch(epoch + 1)
        assert _rows(resumed) == epochs[1]


def test_a_run_that_is_killed_and_resumed_twice_gives_the_rest() -> None:
    expected = _rows(_loader())
    state = {"epoch": 0, "given": 0}
    seen = []
    for take in (2, 1):
        loader = _loader()
        loader.load_state_dict(state)
        batches = iter(loader)
        seen += [next(batches).labels["row"].tolist() for _ in range(take)]
        state = loader.state_dict()
    last = _loader()
    last.load_state_dict(state)
    assert seen + _rows(last) == expected


def test_a_loader_that_was_resumed_is_whole_in_the_epoch_after() -> None:
    loader = _loader()
    loader.load_state_dict({"epoch": 3, "given": 2})
    assert len(_rows(loader)) == len(loader) - 2
    loader.sampler.set_epoch(4)
    assert sorted(_flat(_rows(loader))) == list(range(23))


# Evaluation and the module


@pytest.mark.parametrize(("count", "batch_size"), SIZES)
def test_evaluation_gives_every_position_in_order(count: int, batch_size: int) -> None:
    sampler = OrderedBatches(count, batch_size)
    batches = [batch.tolist() for batch in sampler]
    assert _flat(batches) == list(range(count))
    assert len(batches) == len(sampler)
    assert all(len(batch) == batch_size for batch in batches[:-1])


def test_a_batch_of_the_loader_is_the_datasets_own_items() -> None:
    dataset = tiny_dataset(9, side=4)
    for number, batch in enumerate(evaluation_loader(dataset, 4)):
        for i, row in enumerate(range(4 * number, min(9, 4 * number + 4))):
            alone = dataset[[row]]
            length = alone.token_ids.shape[1]
            assert batch.labels["row"][i] == row
            assert torch.equal(batch.pixels[i], alone.pixels[0])
            assert torch.equal(batch.token_ids[i, :length], alone.token_ids[0])
            assert int(batch.token_mask[i].sum()) == int(alone.token_mask[0].sum())


def test_training_and_validation_batches_hold_the_rows_of_their_part() -> None:
    data = _data()
    module = CatalogueDataModule(data, batch_size=4, seed=1)
    train = _rows(module.train_dataloader())
    assert sorted(_flat(train)) == data.split.train.tolist()
    assert _flat(train) != data.split.train.tolist()
    validation = [batch.labels["row"].tolist() for batch in module.val_dataloader()]
    assert _flat(validation) == data.split.validation.tolist()
    assert [len(batch) for batch in validation] == [8, 3]


def test_the_ranks_of_a_trainer_share_the_training_rows() -> None:
    data = _data()
    seen: list[int] = []
    for rank in range(2):
        module = CatalogueDataModule(data, batch_size=4, seed=1)
        module.trainer = SimpleNamespace(global_rank=rank, world_size=2)
        seen += _flat(_rows(module.train_dataloader()))
    assert sorted(seen) == data.split.train.tolist()
