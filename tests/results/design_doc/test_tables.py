"""Tables of the design document: figures, contradictions, reasons of empty cells."""

import json
import re
from dataclasses import replace
from importlib.resources import files

import pytest

from lit_effnet.cli.tables import as_csv, as_latex, as_markdown
from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.design_doc.ours import counted
from lit_effnet.results.design_doc.quantities import Measured, Quantity, Quoted
from lit_effnet.results.design_doc.tables import (
    DOCUMENT,
    contradictions,
    document_table,
    numbers,
    plain,
    tables,
)

CELLS = [(table.number, row) for table in tables(counted()) for row in table.rows]
DATA = files("lit_effnet.results.design_doc").joinpath("document.json").read_text(encoding="utf-8")
MACS = Quantity("macs", "MACs", "G", "not counted", relative=0.02)


def ours(value: float, interval: tuple[float, float] | None = None) -> Measured:
    return Measured(value, "a CPU", "python -m lit_effnet.evaluate RUN", 3, interval)


def test_every_table_is_there() -> None:
    assert numbers() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all(table.rows and table.title for table in tables())


def test_there_is_no_other_table() -> None:
    with pytest.raises(ValueError, match="number 9: must be one of 1, 2, 3"):
        document_table(9)


def test_every_published_figure_has_a_source_other_than_the_document() -> None:
    published = [figure for _, row in CELLS for figure in row.published]
    assert len(published) > 80
    assert all(len(figure.source) > 10 and figure.source != DOCUMENT for figure in published)
    assert all(c.source for c in contradictions())


def test_every_source_is_used() -> None:
    data = json.loads(DATA)
    used = {known["source"] for known in data["contradictions"]}
    for table in data["tables"]:
        for row in table["rows"]:
            for cell in row["cells"].values():
                used |= {source for _, source in cell.get("published", ())}
    assert used - {"document"} == set(data["sources"])


def test_every_empty_cell_has_a_reason() -> None:
    for _, row in CELLS:
        figures = {"document": row.document, "published": row.published, "ours": row.ours}
        empty = {column for column, figure in figures.items() if not figure}
        assert set(row.why_empty) == empty
        assert all(row.why_empty.values())


def test_every_contradiction_marks_cells_that_are_there() -> None:
    for known in contradictions():
        for row, quantities in known.cells.items():
            for quantity in quantities:
                assert known.id in document_table(known.table).cell(row, quantity).marks


@pytest.mark.parametrize(
    ("number", "row", "quantity", "document", "mark"),
    [
        (1, "amoebanet_b", "scales", "resolution", "gpipe"),
        (2, "learning_rate", "setting", "0.256", "document and published"),
        (3, "b7", "top1", "84.4", "versions"),
        (3, "b7", "parameters", "66.7", "document and ours"),
        (3, "b4", "macs", "4.5", "document and published"),
        (3, "densenet201", "top1", "77.6", "document and published"),
        (3, "b7 / resnet152", "latency_ratio", "2.1", "latency"),
        (4, "depth=1.5", "macs", "1.1", "document and ours"),
        (4, "width=1.5", "macs", "2.4", "document and ours"),
        (4, "resolution=1.5", "macs", "1.8", "document and ours"),
        (4, "width=1.5", "parameters", "7.9", "document and ours"),
        (4, "resolution=1.5", "parameters", "5.6", "resolution_parameters"),
        (4, "phi=1.455,rounding=round", "macs", "2.3", "compound"),
        (5, "b4", "cifar100_top1", "88.2", "b4_cifar"),
        (5, "resnet50", "flowers102_top1", "95.3", "document and published"),
        (5, "stanford_dogs", "training_images", "20000", "document and published"),
        (6, "b4", "utilisation", "83.7", "b4_utilisation"),
        (6, "resnet152", "images_per_wh", "142", "power"),
        (6, "b4 / b7", "images_per_wh_ratio", "1.27", "energy"),
        (7, "b0", "int8_drop", "0.3", "document and published"),
        (7, "b4", "int8_ms", "18.7", "same_18_7"),
        (8, "b0", "iphone12_ms", "18.7", "same_18_7_phone"),
    ],
)
def test_contradictions_are_marked(
    number: int, row: str, quantity: str, document: str, mark: str
) -> None:
    cell = document_table(number, counted()).cell(row, quantity)
    assert cell.document == Quoted(document, DOCUMENT)
    assert mark in cell.marks


def test_arms_along_one_axis_are_below_the_unscaled_network() -> None:
    arms = [f"{axis}=1.5" for axis in ("depth", "width", "resolution")]
    cells = [document_table(4).cell(arm, "top1") for arm in arms]
    unscaled = document_table(3).cell("b0", "top1").document
    assert [cell.document.printed for cell in cells] == ["76.3", "75.8", "76.1"]
    assert all(cell.document.value < unscaled.value for cell in cells)
    assert all("below_b0" in cell.marks for cell in cells)


@pytest.mark.parametrize("arm", ["depth=4", "width=2", "resolution=2"])
def test_the_papers_arms_cost_less_than_it_prints(arm: str) -> None:
    cell = document_table(4, counted()).cell(arm, "macs")
    assert cell.marks == ("published and ours", "table7_flops")
    assert cell.ours.value < cell.published[0].value


def test_counts_that_agree_have_no_mark() -> None:
    for network in ("resnet152", "densenet201", "b0"):
        for quantity in ("parameters", "macs"):
            assert document_table(3, counted()).cell(network, quantity).marks == ()
    assert (
        document_table(4, counted()).cell("depth=1.4,width=1.2,resolution=1.3", "macs").marks == ()
    )


@pytest.mark.parametrize(
    ("measured", "mark"),
    [
        (ours(77.2), ()),
        (ours(74.0), ("document and ours", "published and ours")),
        (ours(75.0, interval=(73.0, 77.0)), ()),
        (ours(75.0, interval=(74.5, 75.5)), ("document and ours", "published and ours")),
    ],
)
def test_ours_is_marked_out_of_tolerance_only(measured: Measured, mark: tuple[str, ...]) -> None:
    row = document_table(3, {("b0", "top1"): measured}).cell("b0", "top1")
    assert row.marks == (*mark, "versions")
    assert row.ours == measured


def test_printed_figures_agree_within_their_rounding() -> None:
    assert MACS.agree(Quoted("19", "a"), Quoted("19.4", "b"))
    assert not MACS.agree(Quoted("19.0", "a"), Quoted("19.5", "b"))
    assert MACS.agrees(ours(1.84), Quoted("1.8", "a"))
    assert not MACS.agrees(ours(1.86), Quoted("1.8", "a"))
    assert not replace(MACS, relative=None).is_compared


def test_figures_that_depend_on_the_device_are_not_compared() -> None:
    measured = {("b7", "latency_ms"): ours(1.0), ("b4", "utilisation"): ours(27.0)}
    assert document_table(3, measured).cell("b7", "latency_ms").marks == ()
    assert set(document_table(6, measured).cell("b4", "utilisation").marks) == {
        "b4_utilisation",
        "order",
    }


def test_a_reason_instead_of_ours_is_shown() -> None:
    table = document_table(6, {("b4", "images_per_wh"): "RAPL may be read by root only"})
    assert table.cell("b4", "images_per_wh").why_empty["ours"] == "RAPL may be read by root only"
    assert "(RAPL may be read by root only)" in as_markdown(plain(table))


def test_a_missing_cell_is_an_error() -> None:
    with pytest.raises(ValueError, match="row 'b9': must be one of table 3 with top1"):
        document_table(3).cell("b9", "top1")


def test_no_figure_is_unchecked() -> None:
    """Figures that are only remembered of papers, which no source at hand has."""
    recalled = {"77.42", "22.3", "54.3", "76.85", "81.61", "59.4", "52.9", "71", "165"}
    stated = {figure.printed for _, row in CELLS for figure in row.published}
    assert not recalled & stated
    # Their papers' own figures of these were not read.
    for network in ("resnet152", "densenet201", "mobilenetv3_large"):
        assert document_table(3).cell(network, "parameters").published == ()


def test_figures_that_follow_from_published_ones_do() -> None:
    golden = golden_complexity()
    for network, images_per_s in (("b0", 6176), ("b4", 847)):
        published = document_table(6).cell(network, "utilisation").published[0]
        part = 2 * golden[network]["macs"] * images_per_s / 125e12
        assert 100 * part == pytest.approx(published.value, abs=published.half_unit)
    times = {row.name: row.published for row in document_table(3).rows if " / " in row.name}
    assert times["b7 / resnet152"][0].value == round(3.1 / 0.554, 1)
    assert times["resnet152 / b1"][0].value == round(0.554 / 0.098, 1)
    assert times["b7 / b0"][0].value == round(166.8 / 11.3, 1)
    assert times["amoebanet_b / b7"][0].value == round(19.0 / 3.1, 1)
    for network, loss in (("b0", 76.97 - 71.71), ("b3", 81.36 - 78.88)):
        published = document_table(7).cell(network, "int8_drop").published[0]
        assert published.value == pytest.approx(loss)


def test_figures_of_the_contradictions_follow_from_counts() -> None:
    golden, texts = golden_complexity(), {c.id: c.text for c in contradictions()}
    images_per_s = 0.682 * 125e12 / (2 * golden["resnet152"]["macs"])
    assert "3,700 images" in texts["power"]
    assert images_per_s == pytest.approx(3700, rel=0.01)
    kilowatts = images_per_s * 3600 / 142 / 1e3
    assert f"about {kilowatts:.0f} kW ({kilowatts / 3:.0f} kW" in texts["power"]
    assert 4 < 2 * 256 * golden["b7"]["activations"] / 32e9 < 5
    rates = {"resnet152": 1374, "b4": 871}
    work = {network: golden[network]["macs"] * rate for network, rate in rates.items()}
    assert work["resnet152"] / work["b4"] == pytest.approx(4, abs=0.2)


def test_tables_as_text_number_their_sources_and_name_their_contradictions() -> None:
    for table in tables(counted()):
        text = plain(table)
        cited = {
            int(n) for row in text.rows for cell in row for n in re.findall(r" \[(\d+)\]", cell)
        }
        numbered = [int(m[1]) for note in text.notes if (m := re.match(r"\[(\d+)\] ", note))]
        assert numbered == sorted(cited) == list(range(1, len(cited) + 1))
        lettered = {letter for row in text.rows for letter in re.findall(r"\([a-z]\)", row[-1])}
        assert lettered == {note[:3] for note in text.notes if re.match(r"\([a-z]\) ", note)}
        for render in (as_markdown, as_latex, as_csv):
            assert table.rows[0].label in render(text)
