"""The step of a training run with nothing around it: no Lightning, no loader, no metrics, no logs."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from fashionmt.batch import Batch
from fashionmt.config import TrainConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.data.vary_pictures import vary_pictures
from fashionmt.training.datamodule import EpochBatchSampler
from fashionmt.training.fitting import device_of
from fashionmt.training.module import TaggerModule
from fashionmt.training.run import build_batches, build_module


class BareSteps:
    """Forward, loss, backward, clipping and optimiser of a run's module, on tensors that are in memory already."""

    def __init__(self, config: TrainConfig, data: PreparedData) -> None:
        self.device = device_of(config.trainer)
        self.module: TaggerModule = build_module(config, data).to(self.device)
        self.optimizer = self.module.build_optimizer()
        self.half = config.trainer.precision == "bf16-mixed"

    def __call__(self, batches: Sequence[Batch]) -> float:
        """The seconds of a step on each of the batches."""
        self.module.train()
        wait_for(self.device)
        began = time.perf_counter()
        for batch in batches:
            self._step(batch)
        wait_for(self.device)
        return time.perf_counter() - began

    def _step(self, batch: Batch) -> None:
        module = self.module
        if module.tagger.image is not None:
            batch = replace(batch, pixels=vary_pictures(batch.pixels, module.variation))
        with self._autocast():
            total, _ = module.loss.balance(module.training_terms(batch))
        self.optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(module.tagger.parameters(), module.config.clip_norm)
        self.optimizer.step()
        if module.average is not None:
            module.average.update_parameters(module.tagger)

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.half else contextlib.nullcontext()


def training_batches(config: TrainConfig, data: PreparedData, epochs: Sequence[int]) -> list[Batch]:
    """The very batches that a run has in these epochs, on the device that trains."""
    loader, batches = build_batches(config, data).train_dataloader(), []
    sampler: EpochBatchSampler = loader.sampler
    for epoch in epochs:
        sampler.set_epoch(epoch)
        batches += [batch.to(device_of(config.trainer)) for batch in loader]
    return batches


def wait_for(device: torch.device) -> None:
    """Until a GPU has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize()
