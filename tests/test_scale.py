"""What `python -m lit_effnet.scale` prints."""

import re
import sys
from pathlib import Path

import pytest

from lit_effnet import fit, scale
from lit_effnet.network import detection


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    scale.main(list(arguments))
    return " ".join(capsys.readouterr().out.split())


def test_a_variant_stands_beside_b0_and_the_published_figure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, "--variant", "b3")
    assert "(300 px)" in text
    assert re.search(r"96 x 5", text)  # stage 4: channels and repeats
    assert re.search(r"parameters\D+5.289 M\D+12.233 M\D+2.313\D+12 M", text)
    assert re.search(r"MACs\D+0.386 G\D+1.827 G\D+4.736\D+1.8 G", text)
    assert re.search(r"activations\D+6.748 M\D+23.831 M\D+3.532", text)


@pytest.mark.parametrize(
    "changed", [["--se_ratio", "0"], ["--num_classes", "10"], ["--image_size", "64"]]
)
def test_no_published_figure_stands_beside_a_changed_network(
    changed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "arXiv" in printed(capsys, "--variant", "b0")
    assert "arXiv" not in printed(capsys, "--variant", "b0", *changed)


def test_rounding_changes_depth(capsys: pytest.CaptureFixture[str]) -> None:
    assert "8.694 M" in printed(capsys, "--scaling.depth", "1.5")
    assert "8.382 M" in printed(capsys, "--scaling.depth", "1.5", "--scaling.rounding", "round")


def test_phi_one_is_2_57_times_b0(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r"MACs\D+0.386 G\D+0.993 G\D+2.573", printed(capsys, "--scaling.phi", "1"))


def test_a_baseline_has_no_stages(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--network", "resnet50")
    assert "25.557 M" in text
    assert "MBConv" not in text


def test_an_unusual_product_warns_but_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match="not about 2"):
        assert "448 px" in printed(capsys, "--scaling.phi", "1", "--scaling.gamma", "2")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        scale.main(list(arguments))
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def without_effdet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "can_count", lambda: False)
    monkeypatch.setitem(sys.modules, "effdet", None)


@pytest.mark.usefixtures("without_effdet")
def test_a_detector_without_its_package_shows_what_was_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, "--network", "efficientdet_d0")
    assert "(512 px)" in text
    assert re.search(r"parameters\D+3.880 M\D+3.880 M\D+1.000\D+3.9 M", text)
    assert re.search(r"MACs\D+2.492 G\D+2.492 G\D+1.000\D+2.54 G", text)
    assert 'not installed; to count it here: pip install "lit_effnet[detection]"' in text
    assert "make test-detection" in text
    assert "class and box heads" in text


@pytest.mark.usefixtures("without_effdet")
@pytest.mark.parametrize(
    "changed", [["--num_classes", "20"], ["--image_size", "640"], ["--scaling.resolution", "2"]]
)
def test_another_detector_than_the_counted_one_needs_the_package(
    changed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, "--network", "efficientdet_d0", *changed)
    assert "must have the package effdet" in line
    assert "lit_effnet[detection]" in line


def test_a_detector_with_its_package_is_counted_at_its_own_size_and_any_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("effdet", reason="needs effdet: make test-detection")
    text = printed(capsys, "--network", "efficientdet_d1")
    assert re.search(r"MACs\D+6.003 G\D+6.003 G\D+1.000\D+6.1 G", text)
    assert "not installed" not in text
    doubled = printed(capsys, "--network", "efficientdet_d0", "--scaling.resolution", "2")
    assert re.search(r"MACs\D+2.492 G\D+9.9\d+ G\D+[34]\.\d+\D+- ", doubled)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (["--scaling.depth", "2"], "efficientdet_d0 has no depth to set"),
        (["--se_ratio", "0"], "efficientdet_d0 has no se_ratio to set"),
        (["--scaling.axis", "width", "--scaling.budget", "2"], "has no budget to match"),
    ],
)
def test_what_a_detector_cannot_vary_is_refused(
    changed: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(capsys, "--network", "efficientdet_d0", *changed)


def test_a_detector_is_not_trained_and_fit_says_so_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as end:
        fit.main(["--model.name=efficientdet_d0", "--data.name=photos", f"--run.root={tmp_path}"])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--model.name 'efficientdet_d0': is a detector" in line
    assert "lit_effnet.scale --network efficientdet_d0" in line


def test_a_network_that_no_package_carries_shows_its_published_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, "--network", "amoebanet_b")
    assert "published figures only (480 px)" in text
    assert "No package has this network" in text
    assert re.search(r"parameters\D+557 M\D+MACs\D+-\D+top-1\D+1?\D+84.3 %", text)
    assert "1905.11946" in text


@pytest.mark.parametrize("changed", [["--num_classes", "10"], ["--scaling.resolution", "2"]])
def test_nothing_of_a_network_that_no_package_carries_can_be_set(
    changed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, "--network", "amoebanet_b", *changed)
    assert "--network 'amoebanet_b': has nothing to set" in line


def test_an_unknown_network_is_refused_with_detectors_among_the_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = refused(capsys, "--network", "resnet5")
    assert "must be one of efficientnet, " in line
    assert "efficientdet_d4, amoebanet_b" in line
