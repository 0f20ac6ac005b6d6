"""A sweep file is read with its lines, and all that is wrong in it is said at once."""

import textwrap
from pathlib import Path

import pytest

from lit_effnet.trials.sweep_file import Problem, Sweep, load, problems

GOOD = """\
    # widths
    method: grid
    program: fit.py
    parameters:
      width:
        values: [1.0, 1.1]
      recipe:
        parameters:
          lr: {value: 0.1}
"""


def _written(folder: Path, text: str) -> Path:
    file = folder / "x.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def _told(folder: Path, text: str) -> list[str]:
    found = problems(load(_written(folder, text)))
    return [str(problem).removeprefix(f"{folder}/") for problem in found]


def test_a_sweep_knows_the_line_of_each_key_and_of_what_is_above_a_missing_one(
    tmp_path: Path,
) -> None:
    sweep = load(_written(tmp_path, GOOD))
    assert problems(sweep) == []
    assert sweep.line() == sweep.line("method") == 2
    assert sweep.line("parameters", "width", "values", "1") == 6
    assert sweep.line("parameters", "recipe", "parameters", "lr", "value") == 9
    assert sweep.line("parameters", "recipe", "parameters", "momentum", "min") == 8


def test_what_a_file_leaves_out_has_wandbs_defaults(tmp_path: Path) -> None:
    sweep = load(_written(tmp_path, GOOD))
    assert (sweep.name, sweep.method, sweep.program) == ("x", "grid", "fit.py")
    assert sweep.command == ["${env}", "${interpreter}", "${program}", "${args}"]
    assert sweep.parameters["width"] == {"values": [1.0, 1.1]}
    assert (sweep.metric, sweep.early_terminate, sweep.run_cap) == (None, None, None)
    more = load(_written(tmp_path, GOOD + "    name: widths\n    run_cap: 3.0\n"))
    assert (more.name, more.run_cap) == ("widths", 3)


def test_a_problem_is_one_line_with_file_line_and_key() -> None:
    problem = Problem(Path("sweeps/x.yaml"), 14, "parameters.a.max", "must be\n  above")
    assert str(problem) == "sweeps/x.yaml:14: parameters.a.max: must be above"
    assert str(Problem(Path("x.yaml"), 1, "", "is odd")) == "x.yaml:1: is odd"


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert _told(
        tmp_path,
        """\
        metod: grid
        metric: {name: loss, goal: min}
        run_cap: 0
        parameters:
          width: {valeus: [1, 2]}
          depth: {min: 3, max: 1}
          lr: {distribution: log_uniform, min: 1e-5, max: 0}
          drop: {values: [0, 1], probabilities: [0.5, 0.4]}
          2x: [1, 2]
        """,
    ) == [
        "x.yaml:1: metod: unknown key; nearest: method",
        "x.yaml:1: method: missing, must be grid, random or bayes",
        "x.yaml:1: program: missing, and so is command: name the script, or give a command",
        "x.yaml:2: metric.goal: 'min': must be minimize or maximize",
        "x.yaml:3: run_cap: 0: must be a whole number of at least 1",
        "x.yaml:5: parameters.width.valeus: unknown key; nearest: values",
        "x.yaml:6: parameters.depth.min: min 3 must be below max 1",
        "x.yaml:7: parameters.lr.min: '1e-5' is text: YAML wants no quotes, a point and a signed exponent (1.0e-5)",
        "x.yaml:7: parameters.lr.distribution: log_uniform reads min and max as exponents of e, and W&B refuses it: use log_uniform_values",
        "x.yaml:8: parameters.drop.probabilities: their sum is 0.9: must be 1",
        "x.yaml:9: parameters.2x: a name must have letters, digits, _ . - only, and begin with a letter or _",
        "x.yaml:9: parameters.2x: must be a mapping, like `values: [...]`",
    ]


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("{}", "a: must have one of: value, values, min and max, distribution or parameters"),
        ("{min: 0.0}", "a: uniform needs max"),
        ("{value: 1, values: [1]}", "a.values: is not a key of constant, which takes value"),
        (
            "{distribution: unifrom}",
            "a.distribution: 'unifrom' is no distribution; nearest: uniform",
        ),
        ("{distribution: normal, sigma: 0}", "a.sigma: 0: must be above 0"),
        ("{min: 1, max: 2.5}", "a: min and max are of two types"),
        ("{value: 2026-01-31}", "a.value: is a date in YAML: put it in quotes"),
        ("{parameters: {b: {min: 2, max: 1}}}", "a.parameters.b.min: min 2 must be below max 1"),
        ("{parameters: {b: {value: 1}}, value: 2}", "a.value: cannot stand beside nested"),
    ],
)
def test_a_parameter_is_told_what_it_lacks(tmp_path: Path, parameter: str, message: str) -> None:
    sweep = f"method: random\nprogram: fit.py\nparameters:\n  a: {parameter}\n"
    (told,) = _told(tmp_path, sweep)
    assert told.startswith(f"x.yaml:4: parameters.{message}")


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("{min: 0.0, max: 1.0}", "a: a grid cannot count uniform"),
        ("{values: [1], probabilities: [1]}", "a: a grid cannot count categorical_w_probabilities"),
        ("{values: [3, 3.0]}", "a.values.1: 3.0 is there twice: W&B runs one trial of it"),
    ],
)
def test_a_grid_is_told_what_it_cannot_count(tmp_path: Path, parameter: str, message: str) -> None:
    sweep = f"method: grid\nprogram: fit.py\nparameters:\n  a: {parameter}\n"
    (told,) = _told(tmp_path, sweep)
    assert told.startswith(f"x.yaml:4: parameters.{message}")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("method: bayes", "x.yaml:3: method: bayes needs a metric: its name and goal"),
        ("method: custom", "x.yaml:3: method: custom works with W&B's server only: must be grid"),
        ("method: random\njob: a/b/c", "x.yaml:4: job: works with W&B's server only: leave it out"),
        (
            "method: random\nearly_terminate: {type: hyperband, min_iter: 1}",
            "x.yaml:4: early_terminate: needs a metric: its name and goal",
        ),
        (
            "method: random\nmetric: {name: loss}\nearly_terminate: {type: hyperband}",
            "x.yaml:5: early_terminate: must have min_iter, or max_iter and s",
        ),
        (
            "method: random\nmetric: {name: loss}\nearly_terminate: {type: hyperband, max_iter: 2, s: 1}",
            "x.yaml:5: early_terminate: max_iter 2 with eta 3 and s 1 has no band",
        ),
        (
            "method: random\nmetric: {name: loss, impute_while_running: false}",
            "x.yaml:4: metric.impute_while_running: False: must be latest or best or worst or false; put",
        ),
    ],
)
def test_sections_are_told_what_they_lack(tmp_path: Path, lines: str, message: str) -> None:
    (told,) = _told(tmp_path, f"program: fit.py\nparameters: {{a: {{value: 1}}}}\n{lines}\n")
    assert told.startswith(message)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("${interpeter}", "${interpeter}: unknown macro, which W&B drops; nearest: interpreter"),
        ("--x=${args}", "--x=${args}: ${args} is expanded only as an item of its own"),
        ("${program}${args}", "${program}${args}: unknown macro, which W&B drops"),
        ("${envvar:home}", "${envvar:home}: the variable's name may have capital letters"),
        ("${program}", "${program} stands for `program`, which is missing"),
    ],
)
def test_a_macro_that_would_not_be_filled_in_is_told(
    tmp_path: Path, item: str, message: str
) -> None:
    sweep = f"method: random\nparameters: {{a: {{value: 1}}}}\ncommand:\n- python\n- '{item}'\n"
    (told,) = _told(tmp_path, sweep)
    assert told.startswith(f"x.yaml:5: command.1: {message}")


def test_a_command_with_a_shells_variables_and_numbers_is_right_and_true_is_not(
    tmp_path: Path,
) -> None:
    sweep = "method: random\nparameters: {a: {value: 1}}\ncommand: [sh, -c, 'a ${HOME}', 3, %s]\n"
    assert _told(tmp_path, sweep % "'${envvar:HOME}/x'") == []
    assert _told(tmp_path, sweep % "on") == [
        "x.yaml:3: command.4: True: must be text, put it in quotes"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.yaml: is empty"),
        ("# nothing\n", "x.yaml: is empty"),
        ("- method\n", "x.yaml: must be a mapping with method and parameters"),
        ("a: 1\nb: [1\n", "x.yaml:3: not YAML: "),
        ("a: 1\nb: c: d\n", "x.yaml:2: not YAML: mapping values are not allowed in this context"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: not YAML: but found another document"),
        ("a: 2026-13-01\n", "x.yaml: not YAML: month must be in 1..12"),
        ("a: \x00\n", "x.yaml: not YAML: "),
        ("a: 1\nb: 2\n'a': 3\n", "x.yaml:3: a: given twice, first on line 1"),
        ("p:\n  q: {r: 1, r: 2}\n", "x.yaml:2: p.q.r: given twice, first on line 2"),
        ("a: &a [*a]\n", "x.yaml:1: a.0: contains itself"),
    ],
)
def test_what_is_no_sweep_file_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    file = _written(tmp_path, text)
    with pytest.raises(ValueError, match=r"x\.yaml") as caught:
        load(file)
    told = str(caught.value).removeprefix(f"{tmp_path}/")
    assert told.startswith(message)
    assert "\n" not in told


def test_keys_merged_from_an_anchor_have_the_anchors_lines_and_are_not_twice(
    tmp_path: Path,
) -> None:
    sweep = load(
        _written(tmp_path, "method: grid\nparameters:\n  a: &a\n    value: 1\n  b: {<<: *a}\n")
    )
    assert sweep.config["parameters"]["b"] == {"value": 1}
    assert sweep.line("parameters", "b", "value") == 4
    twice = "a: &a {x: 1}\nb: &b\n  y: 2\nc: {<<: *a, <<: *b, x: 3}\nd: {<<: [*a, *b]}\n"
    merged = load(_written(tmp_path, twice))
    assert merged.config["c"] == {"x": 3, "y": 2}
    assert [merged.line(key, "y") for key in "cd"] == [3, 3]
    assert merged.line("c", "x") == 4


def test_a_file_that_is_not_there_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    near = _written(tmp_path, GOOD)
    with pytest.raises(ValueError, match=f"y.yaml: no such file; nearest: {near}"):
        load(tmp_path / "y.yaml")
    with pytest.raises(ValueError, match=r"y\.yaml: no such file$"):
        load(tmp_path / "none" / "y.yaml")
    assert isinstance(load(near), Sweep)


def test_a_name_without_its_folder_is_found_among_the_projects_sweeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "se_ratio.yaml").touch()
    (tmp_path / ".se_ratio.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^se_ratio: no such file; nearest: sweeps/se_ratio.yaml"):
        load(Path("se_ratio"))


def test_a_folder_and_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        load(tmp_path)
    file = tmp_path / "x.yaml"
    file.write_bytes(b"name: \xff\n")
    with pytest.raises(ValueError, match=r"not UTF-8 text \(byte 6\)") as caught:
        load(file)
    assert str(caught.value).startswith(str(file))


def seeds(file: Path, repeats: int | None) -> list[int]:
    found: list[int] = load(file, repeats).parameters["seed_everything"]["values"]
    return found


def test_repeats_are_the_first_seeds_of_the_file_and_those_after_its_last(tmp_path: Path) -> None:
    file = _written(tmp_path, GOOD + "      seed_everything: {values: [3, 5]}\n")
    assert [seeds(file, n) for n in (None, 1, 2, 4)] == [[3, 5], [3], [3, 5], [3, 5, 6, 7]]
    assert load(file, 4).parameters["width"] == load(file).parameters["width"]


@pytest.mark.parametrize(
    "line", ["", "seed_everything: {value: 3}", "seed_everything: {values: [a]}"]
)
def test_without_a_list_of_seeds_there_are_no_more_repeats(tmp_path: Path, line: str) -> None:
    file = _written(tmp_path, GOOD + f"      {line}\n")
    with pytest.raises(
        ValueError, match=r"x\.yaml: has no list parameters\.seed_everything\.values"
    ):
        load(file, 4)
