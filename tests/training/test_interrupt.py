"""An interrupt waits for the batch's end and is never lost."""

import signal
from collections.abc import Iterator
from typing import Any, cast

import pytest

from fashionmt.training.interrupt import InterruptAtStep

NOTHING = cast(Any, None)


@pytest.fixture(autouse=True)
def default_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def callback() -> Iterator[InterruptAtStep]:
    made = InterruptAtStep()
    made.setup(NOTHING, NOTHING, "fit")
    yield made
    made.teardown(NOTHING, NOTHING, "fit")


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_validation_batch_end"])
def test_it_is_raised_at_the_batchs_end(callback: InterruptAtStep, hook: str) -> None:
    getattr(callback, hook)()
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        getattr(callback, hook)()


def test_a_second_one_is_raised_at_once(callback: InterruptAtStep) -> None:
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("end", ["teardown", "on_exception"])
def test_the_signal_is_given_back(callback: InterruptAtStep, end: str) -> None:
    assert signal.getsignal(signal.SIGINT) == callback._ask
    getattr(callback, end)(NOTHING, NOTHING, NOTHING)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    made = InterruptAtStep()
    made.setup(NOTHING, NOTHING, "fit")
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
