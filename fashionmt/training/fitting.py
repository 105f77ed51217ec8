"""The Lightning trainer: where it computes, what it keeps, and how it stops and goes on."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import Logger
from pytorch_lightning.trainer.states import TrainerStatus

from fashionmt.config import TrainConfig, TrainerConfig
from fashionmt.errors import UserError
from fashionmt.training.base_module import BaseModule
from fashionmt.training.checkpoints import ResumeCheckpoint
from fashionmt.training.interrupt import InterruptAtStep
from fashionmt.training.module import MONITOR
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.tracking import EpochLines, EpochWatch, Watch, progress_bars


def build_trainer(
    config: TrainConfig,
    folder: RunFolder,
    loggers: Sequence[Logger],
    monitor: str = MONITOR,
    watch: Watch | None = None,
) -> tuple[pl.Trainer, ModelCheckpoint]:
    """The Lightning trainer, and the callback that knows the best weights: those of the highest `monitor`."""
    options = config.trainer
    best = ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename="epoch{epoch:03d}",
        monitor=monitor,
        mode="max",
        save_top_k=options.keep_checkpoints,
        save_weights_only=True,
        save_on_train_epoch_end=False,  # but at the end of validation, while the module holds the weights it scored
        auto_insert_metric_name=False,
        enable_version_counter=False,  # a resumed run writes the same epoch under the same name
    )
    bars = progress_bars()
    resume = ResumeCheckpoint(folder, options.checkpoint_seconds)
    callbacks: list[Callback] = [best, resume, EpochLines(monitor), InterruptAtStep(), *bars]
    if watch is not None:
        callbacks.append(EpochWatch(watch))
    if options.patience is not None:
        callbacks.append(EarlyStopping(monitor, patience=options.patience, mode="max"))
    try:
        trainer = pl.Trainer(
            accelerator=options.accelerator,
            devices=options.devices,
            num_nodes=options.num_nodes,
            strategy=options.strategy,
            precision=options.precision,  # type: ignore[arg-type]  # checked by TrainerConfig
            max_epochs=options.max_epochs,
            accumulate_grad_batches=options.accumulate_grad_batches,
            callbacks=callbacks,
            logger=list(loggers),
            log_every_n_steps=10,
            use_distributed_sampler=False,  # EpochBatchSampler deals to the ranks itself
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=bool(bars),
            default_root_dir=folder.root,
        )
    except (MisconfigurationException, ValueError) as error:  # no such accelerator, strategy or number of devices
        raise UserError("trainer", str(error).rstrip("."), "Choose another accelerator, strategy or devices") from error
    return trainer, best


def fit(
    trainer: pl.Trainer,
    module: BaseModule,
    datamodule: pl.LightningDataModule,
    folder: RunFolder,
    resume: bool,
) -> None:
    """Train to the end. Ctrl-C is a KeyboardInterrupt, as everywhere; a run killed before its first checkpoint
    begins again, with the same numbers."""
    checkpoint = folder.resume_checkpoint
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(
            module,
            datamodule,
            ckpt_path=checkpoint if resume and checkpoint.is_file() else None,
            weights_only=True,
        )
    except SystemExit:
        # Lightning turns Ctrl-C into SystemExit(1) and leaves the signal ignored.
        if trainer.state.status == TrainerStatus.INTERRUPTED:
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise


def load_weights(module: BaseModule, checkpoint: Path) -> None:
    """Those of a checkpoint of the same run. Raises `UserError` for one of another version of fashionmt."""
    kept = torch.load(checkpoint, "cpu", weights_only=True)["state_dict"]
    if kept.keys() != module.state_dict().keys():
        repair = "Go on with the version that made it, or start a new run"
        raise UserError(str(checkpoint), "its tensors are not those of this version of fashionmt", repair)
    module.load_state_dict(kept)


def device_of(config: TrainerConfig) -> torch.device:
    """Where a single process computes."""
    cuda = config.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.device("cuda" if cuda else "cpu")
