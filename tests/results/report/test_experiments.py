"""Runs of two experiments in one group are two sections, each with its own correction."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lit_effnet.results.frame.shipped import RESULTS, ship
from lit_effnet.results.frame.table import load
from lit_effnet.results.report.page import Options, views
from lit_effnet.results.report.plan import plans
from lit_effnet.results.report.sections import Section, sections_of
from lit_effnet.results.report.view import View
from tests.conftest import ROOT
from tests.results.report.sweep import ARMS, add_run, make_sweep

CONFIG = {
    "scaling": {"arm": None, "base_depth": 1.0, "base_width": 1.0},
    "recipe": {"name": "plain", "learning_rate": None, "label_smoothing": None},
    "data": {"image_size": 32, "batch_size": 64, "path": "here"},
    "trainer": {"precision": "32-true", "limit_val_batches": None},
}


def configure(group: Path, **changes: Any) -> Path:
    """Give each run of a group that has none a configuration; `changes` are by dotted names."""
    config = {section: dict(flags) for section, flags in CONFIG.items()}
    for name, value in changes.items():
        section, flag = name.split("__")
        config[section][flag] = value
    for run in group.iterdir():
        if "base_depth" not in (run / "config.yaml").read_text():
            (run / "config.yaml").write_text(yaml.safe_dump(config))
    return group


def sections(*paths: Path) -> list[Section]:
    return sections_of(load(paths).frame)


def counted(view: View) -> int:
    return sum(one.p is not None for family in view.answer.families for one in family.made)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scaling__base_depth": 0.6, "scaling__base_width": 0.3}, "base_depth 0.6 base_width 0.3"),
        ({"data__image_size": 64}, "image_size 64"),
        ({"recipe__name": "paper"}, "recipe paper"),
        ({"recipe__label_smoothing": 0.1}, "label_smoothing 0.1"),
        ({"trainer__precision": "bf16-mixed"}, "precision bf16-mixed"),
    ],
)
def test_what_a_sweep_does_not_vary_and_differs_makes_two_experiments(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    group = configure(make_sweep(tmp_path))
    configure(make_sweep(tmp_path), **changes)
    found = sections(group)
    assert [len(section.runs) for section in found] == [9, 9]
    assert said in [" ".join(section.settings) for section in found]
    assert {*found[0].runs["arm"]} == {*ARMS}


def test_each_experiment_corrects_for_its_own_comparisons_as_if_it_were_alone(
    tmp_path: Path,
) -> None:
    alone = views(load([configure(make_sweep(tmp_path / "alone"))]), Options())
    group = configure(make_sweep(tmp_path / "both", device="a processor"))
    make_sweep(tmp_path / "both", device="a GPU")
    configure(group, scaling__base_depth=0.6)
    made = views(load([group]), Options())
    assert len(made) == 2
    assert [counted(one) for one in made] == 2 * [counted(alone[0])]
    for one in made:
        assert one.answer.families == alone[0].answer.families
    assert "a GPU · base_depth 0.6" in made[0].setting.en
    assert "a processor · base_depth 1.0" in made[1].setting.en


def test_the_same_trials_on_two_devices_are_two_experiments(tmp_path: Path) -> None:
    make_sweep(tmp_path, device="a GPU")
    group = make_sweep(tmp_path, device="a processor")
    assert [section.settings for section in sections(group)] == [("a GPU",), ("a processor",)]


def test_devices_that_share_the_trials_of_a_sweep_are_one_experiment_with_a_note(
    tmp_path: Path,
) -> None:
    group = tmp_path / "scaling_ablation_photos"
    for arm, (macs, values) in ARMS.items():
        for seed, value in enumerate(values):
            add_run(group, arm, seed, value, macs, device=f"GPU {seed % 2}")
    (view,) = views(load([group]), Options())
    assert len(view.runs.rows) == 9
    assert [note.en for note in view.notes] == [
        "The runs are from 2 devices (GPU 0, GPU 1); do not compare training times."
    ]


def test_paths_workers_and_what_old_runs_do_not_record_make_no_experiment(tmp_path: Path) -> None:
    group = configure(make_sweep(tmp_path), data__path="there", data__batch_size=32)
    for run in (tmp_path / "scaling_ablation_photos").iterdir():
        text = (run / "config.yaml").read_text()
        if run.name < "003":  # of before there was the flag
            (run / "config.yaml").write_text(text.replace("  label_smoothing: null\n", ""))
    assert len(sections(group)) == 1


def test_what_the_sweep_varies_makes_arms_and_no_experiments(tmp_path: Path) -> None:
    group = configure(make_sweep(tmp_path))
    for run in group.iterdir():
        name = "plain" if int(run.name) % 2 else "paper"
        text = (run / "parameters.json").read_text()
        (run / "parameters.json").write_text(text.replace("{", f'{{"recipe.name": "{name}", '))
        config = (run / "config.yaml").read_text()
        (run / "config.yaml").write_text(config.replace("name: plain", f"name: {name}"))
    (section,) = sections(group)
    assert len(section.runs) == 9


def test_experiments_are_told_apart_in_files_of_results_too(tmp_path: Path) -> None:
    files = []
    for name, depth in (("a", 1.0), ("b", 0.6)):
        group = configure(make_sweep(tmp_path / name), scaling__base_depth=depth)
        files.append(tmp_path / f"{name}.json")
        ship(load([group]).frame, files[-1], "made by hand")
    found = sections(*files)
    assert [section.settings for section in found] == [("base_depth 0.6",), ("base_depth 1.0",)]


@pytest.mark.slow
def test_the_shipped_runs_on_two_devices_answer_apart_and_say_how_far_each_sweep_is() -> None:
    files = [RESULTS / f"scaling_ablation_imagenette{device}.json" for device in ("", "_h200")]
    both = views(load(files), Options(plans=plans(sorted((ROOT / "sweeps").glob("*.yaml")))))
    assert [counted(view) for view in both] == [9, 7]
    processor, gpu = (view.setting.en for view in both)
    assert "AMD EPYC · global_batch 64 · base_depth 0.6 · base_width 0.3 · 42 of 45" in processor
    assert "NVIDIA H200 · global_batch 128 · base_depth 1.0 · base_width 1.0 · 41 of 45" in gpu
    assert gpu.endswith("41 of 45 trials finished, 4 without a run")
    for file, view in zip(files, both, strict=True):
        (alone,) = views(load([file]), Options())
        assert view.answer.families == alone.answer.families
