# ruff: noqa: RUF001 # Chinese punctuation is meant
"""The report without a browser: what it says, and what it writes."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lit_effnet.results.findings import questions
from lit_effnet.results.frame.table import load
from lit_effnet.results.report import charts, fonts, page
from lit_effnet.results.report.plan import plans
from lit_effnet.results.report.sections import sections_of
from tests.conftest import ROOT
from tests.results.report.sweep import ARMS, add_run, make_sweep
from tests.results.runs import EVALUATION, make_run

SWEEPS = sorted((ROOT / "sweeps").glob("*.yaml"))


def views_of(folder: Path, **options: object) -> list[page.View]:
    return page.views(load([folder]), replace(page.Options(), **options))


def html_of(folder: Path, **options: object) -> str:
    made, table = views_of(folder, **options), load([folder])
    return page.html(made, table, [str(folder)], replace(page.Options(), **options))


def test_arms_are_compared_at_one_cost(tmp_path: Path) -> None:
    (view,) = views_of(make_sweep(tmp_path))
    (sentence,) = view.sentences
    assert view.settled
    assert sentence.en.startswith(
        "At 4.1 M MACs: depth at 2.04 x MACs is worse than compound at 2.04 x MACs: \u221220.0 points ["
    )
    assert "(paired t-test, 3 seeds, p = " in sentence.en
    assert sentence.zh.startswith("4.1 M 乘加运算量下：深度")
    (made,) = view.answer.families[0].made  # the baseline costs half, and is no rival
    assert (made.a, made.b) == ("depth at 2.04 x MACs", "compound at 2.04 x MACs")


def test_the_other_rounding_is_the_reference_where_one_lacks_repeats(tmp_path: Path) -> None:
    group = make_sweep(tmp_path)
    shutil.rmtree(max(group.iterdir()))  # the compound arm's last repeat
    for seed, value in enumerate([0.71, 0.72, 0.70]):
        add_run(group, "compound at 2.04 x MACs, round", seed, value, 4_100_000)
    (view,) = views_of(group)
    whole = "compound at 2.04 x MACs"
    references = {one.b for one in view.answer.families[0].made}
    assert references == {f"{whole}, round"}
    assert whole in {one.a for one in view.answer.families[0].made}


def test_no_difference_is_an_answer_and_says_what_would_show_one(tmp_path: Path) -> None:
    group = make_sweep(tmp_path, "se_ratio_photos")
    for seed, value in enumerate([0.71, 0.70, 0.73]):
        add_run(group, "other", seed, value, 2_000_000)
    (view,) = views_of(group)
    made = {one.a: one for one in view.answer.families[0].made}
    assert not made["other"].shown
    row = next(row for row in view.tables[1].plain("en").rows if row[0] == "other")
    assert row[-1] == "not significant"
    (view,) = views_of(make_two(tmp_path / "two", [0.70, 0.72, 0.71], [0.71, 0.70, 0.73]))
    assert re.match(
        r"No significant difference between other and baseline: \+0\.3 points "
        r"\[\u22124\.8, \+5\.5\] \(paired t-test, 3 seeds, p = 0\.81\)\. \d+ seeds would detect a "
        r"difference this large with 80 % power\.",
        view.sentences[0].en,
    )


def test_arms_are_compared_without_pairing_where_that_is_asked_for(tmp_path: Path) -> None:
    (view,) = views_of(make_sweep(tmp_path), paired=False)
    (made,) = view.answer.families[0].made
    assert (made.test, made.seeds) == ("Welch", ())
    assert "(Welch's t-test, n = 3, p = " in view.sentences[0].en
    (view,) = views_of(
        make_two(tmp_path / "two", [0.70, 0.72, 0.71], [0.71, 0.70, 0.73]), paired=False
    )
    assert re.search(r"n = 3, p = 0\.\d+\)\.$", view.sentences[0].en)


def make_two(root: Path, one: list[float], other: list[float]) -> Path:
    for arm, values in (("baseline", one), ("other", other)):
        for seed, value in enumerate(values):
            add_run(root / "mine", arm, seed, value, 2_000_000)
    return root / "mine"


def test_one_repeat_gives_no_answer(tmp_path: Path) -> None:
    (view,) = views_of(make_two(tmp_path, [0.7], [0.8]))
    assert not view.settled
    assert view.sentences[0].en.startswith("No answer yet: 1 repeat(s) to compare")
    assert "not tested: other, 80.0 %" in view.sentences[1].en


def test_a_baseline_replaces_the_questions_own(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path)
    (view,) = views_of(folder, baseline="baseline")
    assert {one.b for family in view.answer.families for one in family.made} == {"baseline"}
    with pytest.raises(ValueError, match="baseline 'none': must be one of 'baseline', 'compound"):
        views_of(folder, baseline="none")


def test_recipes_are_compared_at_each_scale(tmp_path: Path) -> None:
    for recipe, gain in (("plain", 0.0), ("paper", 0.1)):
        for arm, (macs, values) in ARMS.items():
            for seed, value in enumerate(values):
                value_there = value + gain + 0.001 * seed
                group = tmp_path / "recipe_by_scale_photos"
                rate = {"plain": 0.4, "paper": 0.016}[recipe]  # which tells nothing beside the name
                told = {"name": recipe, "learning_rate": rate}
                add_run(group, arm, seed, value_there, macs, recipe=told)
    (view,) = views_of(tmp_path)
    pairs = [(one.a, one.b) for one in view.answer.families[0].made]
    assert ("baseline, plain", "baseline, paper") in pairs or (
        "baseline, paper",
        "baseline, plain",
    ) in pairs
    assert len(pairs) == 3
    assert "against baseline" in view.answer.families[1].title.en


def test_noise_counts_where_the_question_is_of_noise(tmp_path: Path) -> None:
    for arm, values in (("baseline", [0.5, 0.52, 0.51]), ("B1", [0.3, 0.31, 0.33])):
        for seed, value in enumerate(values):
            noisy = [
                {"id": f"{level}", "condition": "gaussian_noise", "parameters": {"sigma": level},
                 "top1": value - level}
                for level in (0.1, 0.2)
            ]  # fmt: skip
            make_run(
                tmp_path / "noise_robustness_x" / f"{arm}{seed}", {}, *noisy, arm=arm, seed=seed
            )
    (view,) = views_of(tmp_path)
    assert view.answer.found.values["baseline"][0] == pytest.approx(0.5 - 0.15)
    assert [chart.name for chart in view.charts] == ["arms", "noise"]
    conditions = next(table for table in view.tables if table.name == "conditions")
    assert [row[3] for row in conditions.plain("en").rows] == ["21.3", "11.3", "41.0", "31.0"]


def test_short_trials_of_a_sweep_are_a_section_of_their_own(tmp_path: Path) -> None:
    group = make_sweep(tmp_path)
    short = {"max_epochs": 1, "cost": {"seconds": 1, "images": 8, "epochs": 1}}
    add_run(group, "baseline", 0, 0.1, 2_000_000, **short)
    found = sections_of(load([group]).frame)
    assert [(section.epochs, len(section.runs)) for section in found] == [(2, 9), (1, 1)]


def test_a_resumed_run_is_of_its_sweep_and_one_with_fewer_batches_is_not(tmp_path: Path) -> None:
    """What it had trained of the epoch in which it was stopped is counted among its images."""
    group = make_sweep(tmp_path)
    resumed = {"cost": {"seconds": 9, "images": 200, "epochs": 2}}
    for config in ("  limit_train_batches: null", "  limit_train_batches: 3"):
        folder = add_run(group, "baseline", len(config), 0.5, 2_000_000, **resumed)
        (folder / "config.yaml").write_text(f"trainer:\n  limit_val_batches: null\n{config}\n")
    for run in group.glob("*/config.yaml"):
        if "limit_train" not in (text := run.read_text()):
            run.write_text(f"{text}  limit_train_batches: null\n")
    found = sections_of(load([group]).frame)
    assert sorted(len(section.runs) for section in found) == [1, 10]
    assert {section.images for section in found} == {160, 200}


def test_the_later_of_two_equal_runs_counts(tmp_path: Path) -> None:
    group = make_sweep(tmp_path)
    later = add_run(group, "baseline", 0, 0.9, 2_000_000, started="2026-02-02T03:04:05Z")
    (view,) = views_of(group)
    assert view.answer.found.values["baseline"][0] == 0.9
    assert view.notes[0].en.startswith("1 finished run(s) repeat")
    (row,) = (row for row in view.runs.plain("en").rows if row[2] == "90.0")
    assert later.name in row[7]


def rates_sweep(folder: Path, **changes: Any) -> Path:
    """Runs of three arms at two rates; the order of the arms is another one at their best rates."""
    values = {"baseline": (0.50, 0.40), "width 2": (0.45, 0.55), "depth 2": (0.30, 0.35)}
    for arm, of_arm in values.items():
        for rate, value in zip((0.1, 0.2), of_arm, strict=True):
            recipe = {"name": "quick", "learning_rate": rate}
            add_run(folder, arm, 10, value, 2_000, recipe=recipe, **changes)
    return folder


def test_each_arms_best_rate_is_told(tmp_path: Path) -> None:
    (view,) = views_of(rates_sweep(tmp_path / "learning_rate_x"))
    best, lowest, highest, order = (sentence.en for sentence in view.sentences)
    assert lowest.startswith("0.1 is the lowest rate tried and the best for 1 of 3 arms")
    assert highest.startswith("0.2 is the highest rate tried and the best for 2 of 3 arms")
    assert best == (
        "Best of 2 rates, with 1 trial(s) of each: 0.1 (baseline), 0.2 (depth 2; width 2)."
    )
    # At 0.2, the best for all: width, baseline, depth. Each at its own: width, baseline, depth.
    assert order.startswith("Kendall's tau is 1.00 between the order of the arms at their own best")
    assert order.endswith("and at 0.2, the best common rate (1 is the same order).")
    assert view.settled
    (table,) = view.tables
    assert table.name == "rates"
    assert cells_of(view)["baseline"] == ["50.0", "40.0", "0.1"]
    chart, *_ = view.charts
    assert chart.name == "rates"
    assert {mark.arm for mark in chart.figure.marks.values()} == {"baseline", "width 2", "depth 2"}


def cells_of(view: page.View) -> dict[str, list[str]]:
    (table,) = (table for table in view.tables if table.name == "rates")
    return {row[0]: [*row[2:]] for row in table.plain("en").rows}


def test_rates_are_chosen_by_clean_images_alone(tmp_path: Path) -> None:
    folder = rates_sweep(tmp_path / "learning_rate_x")
    (before,) = views_of(folder)
    noise = {"condition": "gaussian_noise", "parameters": {"sigma": 0.1}, "top1": 0.1}
    (max(folder.iterdir()) / "evaluations.jsonl").write_text(json.dumps(EVALUATION | noise) + "\n")
    (view,) = views_of(folder)
    assert len(load([folder]).frame) == 7
    assert [one.en for one in view.sentences] == [one.en for one in before.sentences]
    assert cells_of(view) == cells_of(before)


def test_a_rate_that_diverges_is_the_worst_and_says_so(tmp_path: Path) -> None:
    folder = rates_sweep(tmp_path / "learning_rate_x")
    run = max(folder.iterdir())
    record = json.loads((run / "run.json").read_text())
    arm = record["arm"]
    record |= {"status": "failed", "error": "the loss became nan in epoch 1, batch 3"}
    (run / "run.json").write_text(json.dumps(record | {"metrics": {}}))
    (view,) = views_of(folder)
    assert view.settled
    assert "nan" not in " ".join(one.en for one in view.sentences)
    assert cells_of(view)[arm][1:] == ["diverged", "0.1"]


def test_unequal_trials_choose_no_rate(tmp_path: Path) -> None:
    folder = rates_sweep(tmp_path / "learning_rate_x")
    shutil.rmtree(folder / "003")
    (view,) = views_of(folder)
    assert "'width 2' lacks rate 0.2, seed 10" in view.sentences[0].en
    assert not view.settled


def test_an_arm_that_began_with_nothing_says_none(tmp_path: Path) -> None:
    for seed, value in enumerate([0.5, 0.6, 0.7]):
        add_run(tmp_path / "mine", "B0", seed, value, 2_000)
        add_run(tmp_path / "mine", "B0", seed, value / 2, 2_000, weights={"name": "lite0"})
    (view,) = views_of(tmp_path / "mine")
    assert {*view.answer.found.values} == {"B0, began_with=none", "B0, began_with=lite0"}


def test_a_running_sweep_says_what_is_missing(tmp_path: Path) -> None:
    group = make_sweep(tmp_path)
    add_run(group, "width at 2.04 x MACs", 0, 0.1, 4_100_000, status="running")
    (view,) = views_of(group, plans=plans(SWEEPS))
    assert (view.missing_text.en, len(view.missing)) == (
        "36 of the 45 trials of scaling_ablation.yaml have no run here yet.", 36)  # fmt: skip
    assert "axis=depth,budget=3.99, seed 2" in view.missing
    assert len(view.unfinished) == 1
    assert view.unfinished[0].startswith("width at 2.04 x MACs, seed 0, running, epoch 2/2")
    assert view.setting.en.endswith("9 of 45 trials finished, 36 without a run")
    planned = "axis=width,budget=2.04"
    point = json.dumps({"scaling.arm": planned, "seed_everything": 0})
    (max(group.iterdir()) / "parameters.json").write_text(point)
    (view,) = views_of(group, plans=plans(SWEEPS))
    assert view.setting.en.endswith("9 of 45 trials finished, 1 not finished, 35 without a run")


def test_every_sweep_file_has_a_question(tmp_path: Path) -> None:
    assert {file.stem for file in SWEEPS} == set(questions.QUESTIONS)
    assert set(plans(SWEEPS)) == set(questions.QUESTIONS)
    for file in SWEEPS:
        asked = questions.question_of(f"{file.stem}_photos")
        assert asked is questions.QUESTIONS[file.stem]
        assert asked.text.en.endswith("?") or "?" in asked.text.en
        assert re.search(r"[\u4e00-\u9fff]", asked.text.zh)
    assert questions.question_of("mine") is questions.ANY
    assert plans([tmp_path / "none.yaml"]) == {}


def test_names_from_run_folders_are_escaped(tmp_path: Path) -> None:
    evil = '<script>alert("&")</script>'
    group = make_two(tmp_path, [0.7, 0.71, 0.72], [0.8, 0.82, 0.81])
    for seed in range(3):
        add_run(group, evil, seed, 0.5 + seed / 100, 2_000_000)
    (group / "broken<b>").mkdir()
    (group / "broken<b>" / "run.json").write_text("{")
    text = html_of(group)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&#34;&amp;&#34;)&lt;/script&gt;" in text
    assert "broken&lt;b&gt;" in text
    assert text.count("<script>") == 1


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    text = html_of(make_sweep(tmp_path))
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", text)
    assert not re.findall(r"<link(?! rel=\"icon\")|<img|@import|url\((?!#)", text)
    assert "python -m lit_effnet.fit --config " in text


def test_names_show_what_differs_and_csv_files_keep_the_stored_ones(tmp_path: Path) -> None:
    for arm, value in (("baseline, x=1", 0.5), ("phi 1, x=1", 0.6)):
        for seed in range(3):
            add_run(tmp_path / "mine", arm, seed, value + 0.01 * seed**2, 2_000_000)
    (view,) = views_of(tmp_path / "mine")
    assert not [text for text in view.sentences if "x=1" in text.en + text.zh]
    assert {key.text.en for key in view.legend} == {"baseline", "phi 1"}
    arms = view.tables[0]
    assert [row[0] for row in arms.plain("en").rows] == ["phi 1", "baseline"]
    assert [row[0] for row in arms.plain("zh", stored=True).rows] == ["phi 1, x=1", "baseline, x=1"]


def test_tables_and_figures_lie_beside_the_page(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs")
    options, table = page.Options(), load([folder])
    made = page.views(table, options)
    out = tmp_path / "out"
    written = list(page.write(page.steps(made, table, ["runs"], options), out))
    assert written[-1] == out / "index.html"
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]
    linked = set(re.findall(r'href="((?:tables|figures)/[^"]+)"', (out / "index.html").read_text()))
    assert linked
    assert all((out / name).stat().st_size > 100 for name in linked)
    assert {Path(name).suffix for name in linked} == {".md", ".tex", ".csv", ".png", ".svg", ".pdf"}
    (arms,) = out.glob("tables/*_arms.en.csv")
    rows = {row["arm"]: row for row in csv.DictReader(arms.open())}
    assert rows["baseline"]["mean, %"] == "71.0"
    assert r"\toprule" in arms.with_suffix(".tex").read_text()
    (figure,) = out.glob("figures/*_arms.en.svg")
    assert "<text" not in figure.read_text()  # paths, which need no font


def test_a_missing_font_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (charts, page):
        monkeypatch.setattr(module, "chinese_font", lambda: None)
    folder = make_sweep(tmp_path)
    options, table = page.Options(), load([folder])
    found = page.steps(page.views(table, options), table, ["runs"], options)
    assert not [step for step in found if step.path.startswith("figures/") and ".zh" in step.path]
    assert 'id="no-font"' in html_of(folder)


def test_a_font_that_draws_boxes_is_none() -> None:
    assert not str(fonts.chinese_font()).startswith("Last Resort")
