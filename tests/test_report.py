"""The command as a person types it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lit_effnet import report
from lit_effnet.results.report import job, page
from tests.results.report.sweep import add_run, make_sweep


def run(*arguments: object) -> None:
    report.main([str(argument) for argument in arguments])


def test_it_writes_the_page_and_prints_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "_figures", lambda *_: iter(()))  # which another test writes
    make_sweep(Path("runs"))
    run("runs/scaling_ablation_photos")
    printed = capsys.readouterr()
    assert "Question: Which axis is worth its cost" in printed.out
    assert (
        "Answer: At 4.1 M MACs: depth at 2.04 x MACs is worse than compound at 2.04 x MACs"
        in printed.out
    )
    assert printed.out.endswith("report/index.html\n")
    text = Path("report/index.html").read_text()
    assert 'data-language="en"' in text
    assert len(list(Path("report/tables").iterdir())) == 18


def test_broken_folders_are_counted_and_the_page_may_begin_in_chinese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "_figures", lambda *_: iter(()))  # which another test writes
    for module in (job, page):
        monkeypatch.setattr(module, "chinese_font", lambda: None)
    group = make_sweep(tmp_path)
    (group / "broken").mkdir()
    (group / "broken" / "run.json").write_text("{")
    out = tmp_path / "out"
    run(group, "--output", out, "--language", "zh", "--value", "top5", "--document", "true")
    printed = capsys.readouterr()
    assert "warning: 1 folder(s) or line(s) cannot be read; the page lists them" in printed.err
    assert "warning: no font with Chinese characters was found" in printed.err
    assert "答案" in printed.out
    text = (out / "index.html").read_text()
    assert 'data-language="zh"' in text
    assert 'id="document"' in text


MISTAKES = [
    (["--baseline", "none"], "--baseline 'none': must be one of 'baseline', 'compound at"),
    (["--confidence", "1"], "--confidence 1.0: must be between 0 and 1"),
    (["--value", "loss"], "--value: 'loss' must be top1, top5, top1_macro"),
    (["--language", "de"], "--language: 'de' must be en, zh"),
    (["--lnguage", "de"], "unknown flag --lnguage; nearest: --language"),
    (["--output", "file"], "--output file: cannot be written"),
    (["--export_json", "file"], "--export_json file: must end in .json"),
    (["--numbers", "no/x.json"], "--export_json no/x.json: no such folder no"),
    (["--note", "it"], "--note 'it': needs --export_json"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[a[0] + a[1] for a, _ in MISTAKES])
def test_a_mistake_is_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_sweep(Path("runs"))
    Path("file").touch()
    with pytest.raises(SystemExit) as stopped:
        run("runs", *arguments)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
    assert not Path("report").exists()


def test_numbers_in_one_file_make_the_same_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "_figures", lambda *_: iter(()))  # which another test writes
    group = make_sweep(Path("runs"))
    add_run(group, "width at 2.04 x MACs", 0, 0.1, 4_000_000, status="running")
    run("runs", "--export_json", "made.json", "--made_by", "python -m lit_effnet.sweep s.yaml")
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "made.json: 9 runs"
    shutil.rmtree("runs")
    run("made.json", "--output", "again")
    again = capsys.readouterr().out.splitlines()
    assert again[1:-1] == said[1:-2]
    for name in ("arms", "comparisons"):
        (table,) = Path("report/tables").glob(f"*_{name}.en.csv")
        assert (Path("again/tables") / table.name).read_text() == table.read_text()
    text = Path("again/index.html").read_text()
    assert text.count(">python -m lit_effnet.sweep s.yaml<") == 9
    assert re.search(r'<figure id="[^"]*-epochs"', text)


def test_runs_without_a_finished_one_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    add_run(Path("runs/mine"), "baseline", 0, 0.1, 1_000, status="running")
    for folder, message in (
        ("empty", "empty: must hold runs: no run folder: there is no run.json in it"),
        ("none", "none: must hold runs: cannot be read (No such file or directory)"),
        ("runs", "runs: must hold a finished run, but none of 1 is finished"),
    ):
        with pytest.raises(SystemExit) as stopped:
            run(folder)
        assert stopped.value.code == 2
        assert capsys.readouterr().err == f"error: {message}\n"


def test_the_old_name_of_a_flag_is_accepted_and_not_listed() -> None:
    parser = report.make_parser()
    assert parser.parse_args(["runs", "--numbers=a.json"]).export_json == "a.json"
    assert "--numbers" not in parser.format_help()


def test_the_help_is_quick() -> None:
    code = "import sys; from lit_effnet import report; report.make_parser().format_help(); " \
        "assert not {'torch', 'pandas', 'matplotlib'} & sys.modules.keys()"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
