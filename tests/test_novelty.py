"""Unknown items: by the energy of all heads, against the limit of what was read."""

import pytest
import torch

from fashionmt.novelty import Novelty, energy
from fashionmt.shown import view_of

LOGITS = {"colour": torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 0.0]]), "season": torch.tensor([[0.0], [1.0], [0.0]])}


def test_energies_of_the_heads_are_added() -> None:
    two, nine = torch.tensor(2.0).log(), torch.tensor([9.0, 0.0]).logsumexp(0)
    assert torch.allclose(energy(LOGITS), torch.stack([-two, -nine - 1, -two]))


def test_a_constant_on_every_logit_counts() -> None:
    """Softmax does not see it: it is what tells an item that no head knows anything of."""
    raised = {name: value + 1 for name, value in LOGITS.items()}
    assert torch.allclose(energy(raised), energy(LOGITS) - 2)


@pytest.mark.parametrize(
    ("inputs", "view"), [(("image", "text"), "image+text"), (("text", "tabular"), "text"), (("image",), "image")]
)
def test_other_columns_make_no_other_view(inputs: tuple[str, ...], view: str) -> None:
    assert view_of(inputs) == view


def test_each_item_is_judged_by_the_limit_of_its_own_inputs() -> None:
    novelty = Novelty({"image+text": -1.0, "text": 0.0})
    assert novelty.unknown(LOGITS, ["image+text"] * 3) == [True, False, True]
    assert novelty.unknown(LOGITS, ["image+text", "text", "text"]) == [True, False, False]
    assert novelty.unknown(LOGITS, ["image"] * 3) == [False] * 3
