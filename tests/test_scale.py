"""What `python -m lit_effnet.scale` prints."""

import re

import pytest

from lit_effnet import scale


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
