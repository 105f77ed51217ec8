"""What a catalogue's config takes and refuses: attributes, taxonomy, columns."""

from typing import Any

import pytest
from configs import NAN, data_of, refusal

from fashionmt.config import AttributeConfig, DataConfig, TabularColumnConfig
from fashionmt.errors import UserError


@pytest.mark.parametrize("count", [0, -1])
def test_the_least_count_of_a_class_is_at_least_one(count: int) -> None:
    assert refusal(data_of, min_count=count).startswith(f"data.min_count={count}: ")
    assert data_of(min_count=1).min_count == 1


def test_a_catalogue_without_attributes_is_refused() -> None:
    assert refusal(DataConfig).startswith("data.attributes: no attribute is declared")


def test_a_catalogue_that_the_sample_would_not_read_is_refused() -> None:
    message = refusal(data_of, kind="sample", catalogue="items.csv")
    assert message.startswith("data.catalogue=items.csv: data=sample draws its own")
    assert message.endswith("Add data=catalogue.")


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "mean", "total", "item", "all"])
def test_an_attributes_name_that_would_break_a_path_or_a_log_is_refused(name: str) -> None:
    attributes = {"colour": AttributeConfig(), name: AttributeConfig()}
    assert refusal(data_of, attributes=attributes).startswith(f"data.attributes.{name}: ")


def test_an_attributes_column_is_its_own_name_unless_told() -> None:
    data = data_of(attributes={"colour": AttributeConfig(), "every": AttributeConfig(column="total")})
    assert [data.column_of(name) for name in ("colour", "every")] == ["colour", "total"]


@pytest.mark.parametrize("weight", [-1.0, NAN, 1e7])
def test_an_attributes_weight_out_of_range_is_refused_by_its_name(weight: float) -> None:
    message = refusal(DataConfig, attributes={"season": AttributeConfig(weight=weight)})
    assert f"data.attributes.season.weight={weight}: out of range" in message
    assert DataConfig(attributes={"season": AttributeConfig(weight=0.0)})


@pytest.mark.parametrize("target", [0.49, 1.0, NAN])
def test_an_attributes_accuracy_out_of_range_is_refused_by_its_name(target: float) -> None:
    message = refusal(DataConfig, attributes={"season": AttributeConfig(target_accuracy=target)})
    assert f"data.attributes.season.target_accuracy={target}: out of range" in message


TREE = {name: AttributeConfig() for name in ("type", "group", "kind", "colour")}


@pytest.mark.parametrize(
    ("taxonomy", "learn", "left"),
    [
        (["type", "group", "kind"], None, ["type", "group", "kind"]),
        (["type", "group", "kind"], ["colour", "kind", "type"], ["type", "kind"]),
        (["type", "group", "kind"], ["colour", "kind"], None),
        (["type", "own"], ["own", "type"], ["type", "own"]),  # a column that no attribute declares
        (["type"], None, None),
        (["type", "type"], None, None),
        ([], None, None),
        (None, None, None),
    ],
)
def test_a_taxonomy_shrinks_to_what_is_learned(
    taxonomy: list[str] | None, learn: list[str] | None, left: list[str] | None
) -> None:
    data = DataConfig(attributes=dict(TREE), taxonomy=taxonomy, learn=learn)
    assert data.taxonomy == left
    again = DataConfig(attributes=data.attributes, taxonomy=data.taxonomy, learn=data.learn)  # as a kept config is
    assert again == data


def test_a_taxonomy_of_an_unknown_attribute_is_refused() -> None:
    message = refusal(DataConfig, attributes=dict(TREE), taxonomy=["type", "gruop"])
    assert message == "data.taxonomy=gruop: no such attribute. Use some of type, group, kind, colour, or null."


@pytest.mark.parametrize(
    ("alike", "learn", "left"),
    [
        (["type", "colour"], None, ["type", "colour"]),
        (["type", "colour"], ["colour", "kind"], ["colour"]),
        (["type", "colour"], ["kind"], None),
        (["own"], ["own", "type"], ["own"]),
        ([], None, None),
        (None, None, None),
    ],
)
def test_what_makes_items_alike_shrinks_to_what_is_learned(
    alike: list[str] | None, learn: list[str] | None, left: list[str] | None
) -> None:
    data = DataConfig(attributes=dict(TREE), alike=alike, learn=learn)
    assert data.alike == left
    assert DataConfig(attributes=data.attributes, alike=data.alike, learn=data.learn) == data


def test_an_unknown_attribute_makes_nothing_alike() -> None:
    message = refusal(DataConfig, attributes=dict(TREE), alike=["type", "gruop"])
    assert message == "data.alike=gruop: no such attribute. Use some of type, group, kind, colour, or null."


def test_a_picture_pattern_without_the_id_is_refused() -> None:
    assert "Put {id} into it" in refusal(DataConfig, attributes={"a": AttributeConfig()}, picture_pattern="x.jpg")


def test_columns_to_read_are_declared_in_short_or_at_length() -> None:
    attributes = {"season": AttributeConfig()}
    long = {"year": TabularColumnConfig("numeric", column="anno"), "fit": TabularColumnConfig()}
    config = DataConfig(attributes=attributes, tabular=long, numeric=["year", "price"], categorical=["brand"])
    assert config.tabular_columns() == {"year": "anno", "fit": "fit", "price": "price", "brand": "brand"}
    assert {name: column.kind for name, column in config.tabular.items()} == {
        "year": "numeric",
        "fit": "categorical",
        "price": "numeric",
        "brand": "categorical",
    }
    again = DataConfig(attributes=attributes, tabular=config.tabular, numeric=["year", "price"], categorical=["brand"])
    assert again.tabular == config.tabular  # as a kept config is
    with pytest.raises(UserError, match=r"is what the model has to answer .* or '~data\.attributes\.season'\."):
        DataConfig(attributes=attributes, categorical=["season"])
    with pytest.raises(UserError, match=r"or take season out of data\.learn\."):
        DataConfig(learn=["season"], categorical=["season"])


def test_a_column_that_is_named_in_short_may_say_more_at_length() -> None:
    config = data_of(numeric=["jahr"], tabular={"jahr": TabularColumnConfig(column="year", missing=["NA"])})
    assert config.tabular == {"jahr": TabularColumnConfig("numeric", column="year", missing=["NA"])}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"numeric": ["year"], "categorical": ["year"]}, "data.categorical=[year]: year is numeric already."),
        ({"numeric": ["year", "year"]}, "data.numeric=[year,year]: year is numeric already."),
        ({"categorical": ["a", "a"]}, "data.categorical=[a,a]: a is categorical already."),
        (
            {"categorical": ["year"], "tabular": {"year": TabularColumnConfig("numeric")}},
            "data.categorical=[year]: year is numeric already.",
        ),
        (
            {"numeric": ["year"], "tabular": {"yaer": TabularColumnConfig(column="year")}},
            "data.tabular.year: reads column 'year', which data.tabular.yaer reads already.",
        ),
    ],
)
def test_a_column_that_would_be_read_twice_is_refused(given: dict[str, Any], told: str) -> None:
    assert refusal(data_of, **given).startswith(told)
