"""Between Hydra and the plain dataclasses of `config`: schemas registered, configs converted, targets guarded."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import hydra
import yaml
from hydra.core.config_store import ConfigStore
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fashionmt.config import DataConfig, PredictConfig, TrainConfig
from fashionmt.errors import UserError, nearest

C = TypeVar("C")
LONGEST_REASON = 200  # characters of a library's own message

HYDRA_1_3 = hydra.__version__.startswith("1.3.")

VERSION_BASE: dict[str, Any] = {"version_base": "1.3"} if HYDRA_1_3 else {}
"""For `hydra.initialize`: Hydra 1.3 warns where it is not given, Hydra 1.4 where it is."""

LOGGER_TARGETS = ("pytorch_lightning.loggers.", "fashionmt.training.")
"""A config may build these and nothing else: `_target_` is a call of whatever it names."""

TRUSTED = [f"{one}*" for one in (*LOGGER_TARGETS, "fashionmt.hydra_bridge.")]
MAIN: dict[str, Any] = VERSION_BASE if HYDRA_1_3 else {"execution_whitelist": TRUSTED}
"""For `hydra.main`: Hydra 1.4 wants to know what a config may build."""
INSTANTIATE: dict[str, Any] = {} if HYDRA_1_3 else {"_execution_whitelist_": TRUSTED}
"""The same for `instantiate` elsewhere."""


ATTRIBUTES = "data.attributes."


@dataclass
class OpenDataConfig(DataConfig):
    """`DataConfig` while it is composed. OmegaConf makes no typed entry for `data.attributes.type.weight=2` where there
    was none, so that entries are plain here: `to_dataclass` makes them what they are."""

    attributes: dict[str, Any] = field(default_factory=dict)
    tabular: dict[str, Any] = field(default_factory=dict)


@dataclass
class OpenTrainConfig(TrainConfig):
    """`TrainConfig` while it is composed."""

    data: OpenDataConfig


@functools.cache  # Hydra 1.4 warns of a name that is stored twice
def register_schemas() -> None:
    """Make `train_schema` and `predict_schema` known, so that a misspelt key is refused while composing."""
    store = ConfigStore.instance()
    train = cast(DictConfig, OmegaConf.structured(OpenTrainConfig))
    train.data = _open_mappings(OpenDataConfig)
    store.store(name="train_schema", node=train)
    store.store(name="predict_schema", node=_open_mappings(PredictConfig))


def _open_mappings(kind: type[Any]) -> DictConfig:
    """A schema whose mappings take any key on the command line, without a +, as only the catalogue knows them."""
    schema = cast(DictConfig, OmegaConf.structured(kind))
    _open(schema)
    return schema


def _open(node: DictConfig) -> None:
    """A section's own keys stay those of its dataclass."""
    for child in (value for value in node.values() if isinstance(value, DictConfig)):
        if OmegaConf.get_type(child) is dict:
            OmegaConf.set_struct(child, False)
        else:
            _open(child)


def register_resolvers() -> None:
    """`${run_folder:<resume>,<sweep_status>,<new>}`: Hydra makes it, so it is new only where a run is to begin."""
    # OmegaConf 2.4, of Hydra 1.4, renames it and warns of the old name.
    register: Any = OmegaConf.register_new_resolver if HYDRA_1_3 else OmegaConf.register_resolver
    register("run_folder", _run_folder, replace=True)


def _run_folder(resume: str | None, sweep_status: str | None, new: str) -> str:
    return new if resume is None and sweep_status is None else "."


_sweep_folders: list[Path] = []


class SweepCallback(Callback):
    """Hydra's word to the command that a multirun begins, and where: its jobs may run in other processes."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Keep the folder."""
        _sweep_folders.append(Path(config.hydra.sweep.dir))


def begun_sweep() -> Path | None:
    """The folder of this command's multirun; None where it has none."""
    return _sweep_folders[-1] if _sweep_folders else None


def to_dataclass(config: DictConfig, kind: type[C]) -> C:
    """A composed config as the dataclass that is its schema, checked. Raises `UserError`."""
    plain = OmegaConf.to_container(config, resolve=True)
    try:
        made = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), plain))
    except OmegaConfBaseException as error:
        raise _refused(error) from error
    if not isinstance(made, kind):
        raise TypeError(f"{type(made).__name__} where {kind.__name__} was composed")
    return made


def _refused(error: OmegaConfBaseException) -> UserError:
    """Why a composed config is not of its schema, by the key that is wrong."""
    key, of = str(error.full_key), error.object_type
    if isinstance(error, KeyError | AttributeError) and is_dataclass(of):
        known = [one.name for one in fields(of)]
        repair = f"{nearest(key.rpartition('.')[2], known)}Use one of {', '.join(known)}"
        return UserError(key, "no such key", repair)
    told = str(error).splitlines()[0][:LONGEST_REASON].rstrip(".")
    if "is not a ListConfig" in told:
        return UserError(key, "not a list", "Write it in brackets: [a,b]")
    if of is dict:
        return UserError(key, f"has keys of its own ({told})", "Set one of these")
    return UserError(key, told, "Give it another value")


def refuse_left_out(data: DataConfig, overrides: Sequence[str]) -> None:
    """Raise `UserError` where one of `overrides` is about an attribute that `data.learn` leaves out: it would do
    nothing, and most likely misspells one that is learned."""
    keys = (text.partition("=")[0].lstrip("+") for text in overrides)
    for key in (key for key in keys if data.learn is not None and key.startswith(ATTRIBUTES)):
        name = key.removeprefix(ATTRIBUTES).partition(".")[0]
        if name not in data.attributes:
            repair = f"{nearest(name, data.attributes)}Add {name} to data.learn, or leave this out"
            raise UserError(key, f"data.learn does not name {name}", repair)


def to_yaml(config: TrainConfig) -> str:
    """What a run keeps as its config."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def from_yaml(path: Path) -> TrainConfig:
    """The inverse of `to_yaml`. Raises `UserError`."""
    try:
        kept = OmegaConf.load(path)
    except yaml.YAMLError as error:
        raise UserError(str(path), f"damaged ({str(error)[:100]})", "Restore it, or start a new run") from error
    try:
        merged = cast(DictConfig, OmegaConf.merge(OmegaConf.structured(TrainConfig), kept))
    except OmegaConfBaseException as error:
        wrong = f"not this version's ({str(error).splitlines()[0][:LONGEST_REASON]})"
        raise UserError(str(path), wrong, "Use the fashionmt that made it, or start a new run") from error
    return to_dataclass(merged, TrainConfig)


def build_loggers(nodes: dict[str, Any], run_folder: Path) -> list[Any]:
    """The loggers that a config names; each writes below `run_folder`. Raises `UserError` for a foreign target."""
    built = []
    for name, node in nodes.items():
        target = str(node.get("_target_", ""))
        if not target.startswith(LOGGER_TARGETS):
            allowed = " or ".join(LOGGER_TARGETS)
            raise UserError(f"logger.{name}._target_={target}", "not allowed", f"It must begin with {allowed}")
        built.append(_build_logger(name, node, run_folder))
    return built


def _build_logger(name: str, node: dict[str, Any], run_folder: Path) -> Any:
    try:
        return instantiate(node, save_dir=str(run_folder), **INSTANTIATE)
    except Exception as error:
        # Hydra 1.3 raises its own error from what a target raised, 1.4 that itself.
        cause = (error.__cause__ or error) if isinstance(error, InstantiationException) else error
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, ModuleNotFoundError):
            repair = f"Run pip install 'fashionmt[{name}]'"
            raise UserError(f"logger={name}", "its package is not installed", repair) from error
        wrong = str(cause).partition(". ")[0][:LONGEST_REASON]
        raise UserError(f"logger={name}", f"cannot be made ({wrong})", f"Check logger.{name}") from error
