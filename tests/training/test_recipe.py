"""Recipes, the schedule, and timm's RMSprop-TF against TensorFlow's formulas."""

import math

import pytest
import torch
from timm.optim import create_optimizer_v2
from torch import nn

from lit_effnet.training.recipe import RECIPES, RMSPROP_TF, choose, epochs_of, warmup_cosine


def test_paper_is_the_default_of_the_published_training() -> None:
    paper = RECIPES["paper"]
    assert (paper.optimizer, paper.momentum, paper.optimizer_options) == (
        "rmsproptf",
        0.9,
        {"alpha": 0.9, "eps": 1e-3},
    )
    assert (paper.learning_rate, paper.warmup_epochs, paper.weight_decay) == (0.016, 5, 1e-5)
    assert (paper.dropout, paper.drop_path_rate, paper.ema_decay) == (0.2, 0.2, 0.9999)
    assert (paper.label_smoothing, paper.bn_momentum, paper.epochs) == (0.1, 0.01, 350)
    assert paper.randaugment_layers > 0
    assert paper.reduced_precision


def test_what_is_given_goes_before_the_recipes_own() -> None:
    recipe = choose(name="paper", learning_rate=0.1, randaugment_layers=0)
    assert (recipe.learning_rate, recipe.randaugment_layers) == (0.1, 0)
    assert recipe.weight_decay == RECIPES["paper"].weight_decay
    assert choose(name="paper") == RECIPES["paper"]


def test_another_optimizer_does_not_inherit_rmsprops_options() -> None:
    assert choose(optimizer="sgd").optimizer_options == {}
    assert choose(optimizer="rmsproptf").optimizer_options == RMSPROP_TF


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "papers"}, "recipe.name 'papers': must be one of paper, quick"),
        ({"epochs": 0}, "epochs 0: must be at least 1"),
        ({"learning_rate": math.nan}, "learning_rate nan"),
        ({"learning_rate": -1.0}, "learning_rate -1.0"),
        ({"weight_decay": -1.0}, "weight_decay -1.0"),
        ({"label_smoothing": 1.0}, "label_smoothing 1.0: must be from 0 to below 1"),
        ({"ema_decay": 1.0}, "ema_decay 1.0: must be from 0 to below 1"),
        ({"bn_momentum": 1.5}, "bn_momentum 1.5: must be from 0 to 1"),
        ({"steps": 0}, "steps 0: must be at least 1"),
        ({"head_only": 1.1}, "head_only 1.1: must be from 0 to 1"),
        ({"layer_decay": 0.0}, "layer_decay 0.0: must be above 0 and at most 1"),
    ],
)
def test_bad_numbers_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose(**arguments)  # type: ignore[arg-type]


def test_warm_up_is_linear_to_the_peak_and_the_cosine_ends_at_zero() -> None:
    factors = [warmup_cosine(step, 10, 110) for step in range(111)]
    steps = [b - a for a, b in zip(factors[:10], factors[1:11], strict=True)]
    assert steps == pytest.approx([1 / 11] * 10)
    assert factors[0] > 0
    assert max(factors) == factors[10] == 1
    assert factors[60] == pytest.approx(0.5)
    assert factors[110] == pytest.approx(0)
    assert all(a >= b for a, b in zip(factors[10:], factors[11:], strict=False))


def test_no_warm_up_begins_at_the_peak() -> None:
    assert warmup_cosine(0, 0, 10) == 1


def test_rmsprop_tf_follows_tensorflows_formulas() -> None:
    """ms starts at one, epsilon stands inside the root, the learning rate inside the momentum.

    tf.raw_ops.ApplyRMSProp: ms = rho ms + (1 - rho) g^2; mom = momentum mom + lr g /
    sqrt(ms + epsilon); w = w - mom; the released code adds L2 to the gradient.
    """
    torch.manual_seed(0)
    layer = nn.Linear(4, 3).double()
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    optimizer = create_optimizer_v2(
        layer, opt="rmsproptf", lr=0.05, weight_decay=0.01, momentum=0.9, **RMSPROP_TF
    )
    state = {
        name: (value, torch.ones_like(value), torch.zeros_like(value))
        for name, value in (("weight", weight), ("bias", bias))
    }
    for step in range(20):
        layer.zero_grad()
        inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(step)).double()
        layer(inputs).square().sum().backward()
        for name, (value, ms, momentum) in state.items():
            decay = 0.01 if name == "weight" else 0.0  # biases are not decayed
            gradient = getattr(layer, name).grad + decay * value
            mean_square = 0.9 * ms + 0.1 * gradient**2
            step_taken = 0.9 * momentum + 0.05 * gradient / torch.sqrt(mean_square + 1e-3)
            state[name] = (value - step_taken, mean_square, step_taken)
        optimizer.step()
    for name, (value, _, _) in state.items():
        assert torch.allclose(getattr(layer, name), value, rtol=1e-10)


def test_steps_become_the_nearest_whole_epochs() -> None:
    assert epochs_of(choose(name="finetune"), 15) == 1333
    assert epochs_of(choose(name="finetune", steps=100), 15) == 7
    assert epochs_of(choose(name="finetune", steps=1), 15) == 1
    assert epochs_of(choose(name="quick"), 15) == RECIPES["quick"].epochs


def test_epochs_that_are_asked_for_go_before_a_recipes_steps() -> None:
    assert choose(name="finetune", epochs=3).steps is None
    with pytest.raises(ValueError, match="steps 5: epochs 3 is set too"):
        choose(name="finetune", epochs=3, steps=5)
    assert choose(name="finetune").steps == 20_000


def test_fine_tuning_follows_kornblith() -> None:
    recipe = RECIPES["finetune"]
    assert (recipe.optimizer, recipe.momentum, recipe.warmup_epochs) == ("sgd", 0.9, 0)
    assert (recipe.randaugment_layers, recipe.flip, recipe.crop_scale_min) == (0, 0.5, 0.08)
    assert (recipe.bn_momentum, recipe.head_only, recipe.ema_decay) == (0, 0, 0)
    assert RECIPES["linear_probe"].head_only == 1
    assert 0 < RECIPES["head_first"].head_only < 1
