"""What a command looks at: runs, groups of runs, and released networks with their own view."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lit_effnet import evaluate, explain, fit
from lit_effnet.evaluation.evaluator import View
from lit_effnet.evaluation.run_folders import run_folders
from lit_effnet.evaluation.target import Overrides, load_target
from lit_effnet.network.registry import BASELINES, build
from lit_effnet.network.trained import architecture
from lit_effnet.network.weight_sources import find
from lit_effnet.network.weights import Weights
from lit_effnet.scaling.compound import VARIANTS
from tests.conftest import TINY

NOTHING = Overrides({})


@pytest.mark.parametrize("name", list(BASELINES))
def test_a_released_baseline_is_known_by_its_names(name: str) -> None:
    timm_name = BASELINES[name].timm_name
    for given in (f"timm/{timm_name}.some_in1k", timm_name, f"weights/{timm_name}.safetensors"):
        assert architecture(given, Weights(given), None)[0] == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("ResNet50_Weights.IMAGENET1K_V2", "resnet50"),
        ("Wide_ResNet50_2_Weights.IMAGENET1K_V1", "wide_resnet50_2"),
        ("DenseNet201_Weights.IMAGENET1K_V1", "densenet201"),
    ],
)
def test_torchvisions_names_are_known_too(given: str, name: str) -> None:
    assert architecture(given, Weights(given), None)[0] == name


def test_a_file_is_known_by_its_shapes_where_its_name_tells_nothing(tmp_path: Path) -> None:
    mnasnet = tmp_path / "semnasnet_100.safetensors"
    save_file(build("mnasnet_a1", num_classes=9).state_dict(), mnasnet)
    assert architecture(str(mnasnet), find(str(mnasnet)), None)[0] == "mnasnet_a1"
    ours = tmp_path / "best.safetensors"
    save_file(build("efficientnet", VARIANTS["b1"].scaling, 9).state_dict(), ours)
    assert architecture(str(ours), find(str(ours)), None) == (
        "efficientnet",
        VARIANTS["b1"].scaling,
    )


def test_what_cannot_be_told_by_the_name_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"best.pth: the name .* set --network to one of"):
        architecture("best.pth", Weights("best.pth"), None)
    assert architecture("best.pth", Weights("best.pth"), "resnet50")[0] == "resnet50"
    with pytest.raises(ValueError, match="network 'resnet5': must be one of efficientnet"):
        architecture("best.pth", Weights("best.pth"), "resnet5")


def test_a_released_network_is_evaluated_in_the_view_that_its_owner_wrote_down(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    state = build("mobilenetv3_large", num_classes=9).state_dict()
    save_file(state, tmp_path / "model.safetensors")
    told = {
        "architecture": "mobilenetv3_large_100",
        "pretrained_cfg": {
            "input_size": [3, 176, 176],
            "crop_pct": 0.9,
            "interpolation": "bilinear",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(told))
    choices = Overrides({"name": "photos"}, network="mobilenetv3_large")
    found = load_target(str(tmp_path), choices, str(tmp_path / "runs"))
    assert found.own == View(176, 0.9, "bilinear") == View.of(found.data)
    assert found.data.preprocessing.mean == (0.5, 0.5, 0.5)
    assert found.reference.image_size == 64  # the photographs' own size, whatever the network's
    smaller = load_target(
        str(tmp_path), Overrides({"name": "photos"}, 96, network="mobilenetv3_large")
    )
    assert View.of(smaller.data).differences(smaller.own) == ["image_size 96 instead of 176"]


def test_images_of_other_classes_are_refused(trained: Path) -> None:
    with pytest.raises(ValueError, match=r"cifar10: has 10 classes, and .* has only 9"):
        load_target(str(trained), Overrides({"name": "cifar10"}))


def test_the_corrupted_size_is_that_of_resolution_1(tmp_path: Path) -> None:
    larger = [*TINY, "--scaling.resolution=1.5", f"--run.root={tmp_path}", "--run.id=larger"]
    fit.main([*larger, "--trainer.max_epochs=1"])
    found = load_target(str(tmp_path / "photos" / "larger"), NOTHING)
    assert (found.own.image_size, found.reference.image_size) == (48, 32)


@pytest.mark.slow
def test_arms_from_weights_of_other_sizes_are_corrupted_at_one_size(tmp_path: Path) -> None:
    place = [f"--run.root={tmp_path}", "--trainer.max_epochs=1", "--run.noise=[0.1]"]
    sized = [flag for flag in TINY if "image_size" not in flag]
    fit.main([*sized, *place, "--data.image_size=32", "--run.id=small"])
    fit.main([*sized, *place, "--data.image_size=48", "--run.id=large"])
    made = {}
    for name in ("small", "large"):
        weights = f"--weights.name={tmp_path / 'photos' / name}"
        fit.main([*sized, *place, weights, "--recipe.name=linear_probe", f"--run.id=on_{name}"])
        folder = tmp_path / "photos" / f"on_{name}"
        found = load_target(str(folder), NOTHING)
        assert found.reference.image_size == 64  # the photographs' own
        lines = (folder / "evaluations.jsonl").read_text().splitlines()
        made[name] = [json.loads(line)["made_at_px"] for line in lines]
    assert made == {"small": [64, 64], "large": [64, 64]}


def test_the_images_of_a_run_are_at_another_place(trained: Path) -> None:
    with pytest.raises(ValueError, match="path nowhere: is for a copy of a named data set"):
        load_target(str(trained), Overrides({"path": "nowhere"}))  # photos need none


def test_classes_that_the_network_does_not_know_are_refused(
    trained: Path, own_images: Path
) -> None:
    found = load_target(str(trained), Overrides({"name": str(own_images)}))
    with pytest.raises(
        ValueError, match=r"its class 'cat' \(and 2 more\) names none, or several, of the 9"
    ) as error:
        _ = found.data.images
    assert "astronaut" in str(error.value)
    assert len(str(error.value)) < 300


def test_released_weights_keep_their_rows_in_one_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = tmp_path / "mobilenetv3_large_100.safetensors"
    save_file(build("mobilenetv3_large", num_classes=9).state_dict(), file)
    images = ["--data.name=photos", "--image_size=32", f"--root={tmp_path}"]
    for name in (str(file), None):
        folders = list((tmp_path / "released").glob("*")) if name is None else [name]
        with pytest.raises(SystemExit) as end:
            evaluate.main([str(folders[0]), *images])
        assert end.value.code == 0
    (folder,) = (tmp_path / "released").glob("*")
    assert len((folder / "evaluations.jsonl").read_text().splitlines()) == 1


def test_a_group_is_its_trained_runs_and_an_arm_its_first_repeat(trained: Path) -> None:
    for seed in (5, 3):
        other = trained.with_name(f"seed{seed}")
        shutil.copytree(trained, other)
        record = json.loads((other / "run.json").read_text())
        (other / "run.json").write_text(json.dumps({**record, "seed": seed, "arm": "another"}))
    group = str(trained.parent)
    assert [Path(run).name for run in run_folders([group])] == ["seed3", "seed5", "trained"]
    arms = run_folders([group], one_of_each_arm=True)
    assert sorted(Path(run).name for run in arms) == ["seed3", "trained"]
    assert run_folders([group, str(trained)]).count(str(trained)) == 1


@pytest.mark.parametrize(
    "name", ["mobilenetv3_large", pytest.param("resnet50", marks=pytest.mark.slow)]
)
def test_a_baseline_goes_through_fit_evaluate_and_explain_as_ours(
    name: str, tmp_path: Path
) -> None:
    common = [f"--model.name={name}", "--data.image_size=32", "--data.batch_size=8"]
    limits = ["--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1"]
    place = [f"--run.root={tmp_path}", "--run.id=it", "--trainer.max_epochs=1"]
    fit.main([*common, *limits, *place, "--data.num_workers=0"])
    folder = tmp_path / "photos" / "it"
    with pytest.raises(SystemExit) as end:
        evaluate.main([str(folder), "--conditions=gaussian_noise:sigma=0.1"])
    assert end.value.code == 0
    rows = [json.loads(line) for line in (folder / "evaluations.jsonl").read_text().splitlines()]
    assert [row["condition"] for row in rows] == ["clean", "gaussian_noise"]
    explain.main([str(folder), "--count=1", f"--output={tmp_path / 'figures'}"])
    assert (tmp_path / "figures" / "features_it.png").exists()
