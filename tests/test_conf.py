"""Every YAML of conf/ composes, alone and with its neighbours."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir

from fashionmt.config import AttributeConfig, PredictConfig, TabularColumnConfig, TrainConfig
from fashionmt.errors import UserError
from fashionmt.hydra_bridge import (
    VERSION_BASE,
    build_loggers,
    from_yaml,
    refuse_left_out,
    register_resolvers,
    register_schemas,
    to_dataclass,
    to_yaml,
)
from fashionmt.paths import conf_dir

FILES = sorted(conf_dir().glob("**/*.yaml"))
OTHERS = (conf_dir(), conf_dir() / "wandb_sweep")
GROUPED = [path.relative_to(conf_dir()) for path in FILES if path.parent not in OTHERS]
PLUGINS = {
    "sweep": "hydra_plugins.hydra_optuna_sweeper",
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "slurm": "hydra_plugins.hydra_submitit_launcher",
    "slurm_local": "hydra_plugins.hydra_submitit_launcher",
    "ray": "hydra_plugins.hydra_ray_launcher",
}
"""Group or option -> what its file is about, of an extra."""


@pytest.mark.parametrize("path", GROUPED, ids=str)
def test_every_yaml_composes(path: Path, compose: Callable[..., TrainConfig]) -> None:
    group, _, option = path.with_suffix("").as_posix().partition("/")
    if "override /hydra/" in (conf_dir() / path).read_text():
        pytest.importorskip(PLUGINS.get(option, PLUGINS["sweep"]), reason="its extra is not installed")
    override = f"{group}={option}" if group == "experiment" else f"{path.parent}={path.stem}"
    extra = ["data.catalogue=x.csv"] if path.stem == "catalogue" else []
    config = compose(override, *extra)
    assert isinstance(config, TrainConfig)


def test_wandbs_own_sweep_tries_settings_that_there_are(compose: Callable[..., TrainConfig]) -> None:
    found = yaml.safe_load((conf_dir() / "wandb_sweep" / "bayes.yaml").read_text())
    assert found["command"][-1] == "${args_no_hyphens}"
    given = [text for text in found["command"] if "=" in text]
    tried = [f"{key}={values['min']}" for key, values in found["parameters"].items()]
    assert compose(*given, *tried).optim.learning_rate == 1e-4
    assert found["metric"]["name"] == "val/macro_f1/articleType"


def test_train_and_predict_are_the_only_primary_configs() -> None:
    assert {path.name for path in FILES if path.parent == conf_dir()} == {"train.yaml", "predict.yaml"}


def test_predict_composes() -> None:
    register_schemas()
    with initialize_config_dir(str(conf_dir()), **VERSION_BASE):
        assert to_dataclass(hydra_compose("predict"), PredictConfig) == PredictConfig()


@pytest.mark.parametrize(
    ("mapping", "value"),
    [
        ("columns.tabular", "Women"),
        ("columns.given", "Women"),
        ("similar.filters", "Women"),
        ("recommend.filters", "Women"),
        ("calibrate.target_accuracy", 0.9),
    ],
)
def test_a_mapping_takes_a_key_that_only_the_catalogue_knows(mapping: str, value: str | float) -> None:
    register_schemas()
    register_resolvers()
    with initialize_config_dir(str(conf_dir()), **VERSION_BASE):
        composed = to_dataclass(hydra_compose("predict", [f"{mapping}.gender={value}"]), PredictConfig)
    part, _, name = mapping.partition(".")
    assert getattr(getattr(composed, part), name) == {"gender": value}


def test_a_tower_can_be_swapped_and_tuned(compose: Callable[..., TrainConfig]) -> None:
    config = compose("model/image=resnet50", "model.image.pretrained=true", "model/fusion=gated")
    assert config.model.image is not None
    assert (config.model.image.name, config.model.image.starts_trained) == ("resnet50", True)
    assert config.model.fusion.kind == "gated"


def test_learn_chooses_among_the_attributes_and_adds_columns(compose: Callable[..., TrainConfig]) -> None:
    config = compose("data=catalogue", "data.catalogue=x.csv", "data.learn=[season,type]")
    assert list(config.data.attributes) == ["season", "type"]
    assert config.data.column_of("type") == "type"


OWN = ("data=catalogue", "data.catalogue=x.csv", "data.learn=[type]")


def test_an_attribute_that_learn_names_is_set_as_a_declared_one_is(compose: Callable[..., TrainConfig]) -> None:
    given = [
        f"data.attributes.type.{one}" for one in ("weight=2", "target_accuracy=0.9", "column=kind", "missing=[NA]")
    ]
    learned = AttributeConfig(column="kind", missing=["NA"], weight=2.0, target_accuracy=0.9)
    assert compose(*OWN, *given).data.attributes == {"type": learned}
    assert compose(*OWN, *(f"+{one}" for one in given)).data.attributes == {"type": learned}
    declared = compose("data.attributes.season.weight=2").data.attributes
    assert list(declared) == list(compose().data.attributes)  # in their order, by which the heads start
    assert declared["season"] == AttributeConfig(weight=2.0, target_accuracy=0.95)


def test_a_column_that_is_read_beside_them_is_set_by_its_name(compose: Callable[..., TrainConfig]) -> None:
    config = compose(*OWN, "data.numeric=[jahr]", "data.tabular.jahr.column=year", "data.tabular.fit.min_count=3")
    assert config.data.tabular == {
        "jahr": TabularColumnConfig("numeric", column="year"),
        "fit": TabularColumnConfig(min_count=3),
    }


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("data.attributes.type.wieght=2", "data.attributes.type.wieght: no such key. Did you mean weight? Use one of"),
        ("data.tabular.year.bin=2", "data.tabular.year.bin: no such key. Did you mean bins? Use one of"),
        ("data.attributes.type.weight=heavy", "data.attributes.type.weight: Value 'heavy' of type 'str' could not"),
        ("data.attributes.type.missing=NA", "data.attributes.type.missing: not a list. Write it in brackets: [a,b]."),
        ("data.attributes.type=3", "data.attributes.type: has keys of its own (Invalid type"),
        ("data.attributes.type=null", "data.attributes.type: has keys of its own (field 'data.attributes.type' is not"),
    ],
)
def test_what_is_wrong_with_an_attribute_or_a_column_is_told_by_its_key(
    override: str, told: str, compose: Callable[..., TrainConfig]
) -> None:
    with pytest.raises(UserError) as refused:
        compose(*OWN, override)
    assert str(refused.value).startswith(told)


def test_a_setting_of_an_attribute_that_is_not_learned_is_refused(compose: Callable[..., TrainConfig]) -> None:
    given = ["data.attributes.tpye.weight=2", "data.attributes.type.weight=3", "~data.attributes.season", "seed=1"]
    data = compose(*OWN, *given[:2]).data
    with pytest.raises(UserError) as refused:
        refuse_left_out(data, given)
    told = "data.attributes.tpye.weight: data.learn does not name tpye. Did you mean type? Add tpye to data.learn, or "
    assert str(refused.value).startswith(told)
    refuse_left_out(data, given[1:])
    refuse_left_out(compose("~data.attributes.season").data, ["data.attributes.season.weight=2"])


def test_one_tower_models_have_one_tower(compose: Callable[..., TrainConfig]) -> None:
    assert compose("model=image_only").model.text is None
    assert compose("model=text_only").model.image is None


def test_a_run_need_learn_no_similarity_head(compose: Callable[..., TrainConfig], tmp_path: Path) -> None:
    config = compose("similarity=null")
    assert config.similarity is None
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert from_yaml(tmp_path / "config.yaml") == config
    tuned = compose("similarity.size=64", "data.alike=[season]")
    assert tuned.similarity is not None
    assert (tuned.similarity.size, tuned.data.alike) == (64, ["season"])


def test_the_real_data_folder_can_be_moved(
    compose: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASHIONMT_DATA", "/elsewhere")
    assert compose("data=fashion_products").data.catalogue == "/elsewhere/styles.csv"


def test_a_kept_config_is_read_back_the_same(compose: Callable[..., TrainConfig], tmp_path: Path) -> None:
    register_resolvers()
    config = compose("model/text=bert_pretrained", "experiment=fashion_products")
    kept = tmp_path / "config.yaml"
    kept.write_text(to_yaml(config))
    assert from_yaml(kept) == config


@pytest.mark.parametrize(("line", "told"), [("gone: 1", "'gone'"), ("seed: many", "seed|many"), ("a: [", "damaged")])
def test_a_kept_config_that_cannot_be_read_is_named(line: str, told: str, tmp_path: Path) -> None:
    kept = tmp_path / "config.yaml"
    kept.write_text(f"{line}\n")
    with pytest.raises(UserError, match=rf"config\.yaml: .*({told}).* start a new run"):
        from_yaml(kept)


@pytest.mark.parametrize("target", ["os.system", "pytorch_lightning.Trainer", "builtins.eval", ""])
def test_a_logger_of_a_foreign_target_is_refused(target: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not allowed"):
        build_loggers({"bad": {"_target_": target}}, tmp_path)


def test_a_logger_that_refuses_its_settings_is_the_users_to_repair(tmp_path: Path) -> None:
    node = {"_target_": "pytorch_lightning.loggers.CSVLogger", "colour": "red"}
    with pytest.raises(UserError, match=r"logger=csv: cannot be made \(.*colour.*\)\. Check logger\.csv\."):
        build_loggers({"csv": node}, tmp_path)
