"""Figures as SVG elements of a page: they name their shapes, follow its colours and its language."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from lit_effnet.results.figures.drawing import GREY, GRID, NOTE, MarkedFigure
from lit_effnet.results.figures.files import encoded

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
# Colours that a page replaces in the dark, by the name of its variable.
COLOURS = {
    "#000000": "ink",
    "#ffffff": "paper",
    "#0072b2": "blue",
    GRID: "grid",
    GREY: "soft",
    NOTE: "soft",
}
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def interactive_svg(
    figure: MarkedFigure,
    key: str,
    title: str,
    *,
    rows: Mapping[str, str] | None = None,
    chinese: Mapping[str, str] | None = None,
) -> str:
    """Return a figure as an SVG element, without its legend and its note.

    A shape with a meaning is a group of class `mark` with `data-arm`. Those with a tooltip have it
    in `data-en` and `data-zh`, can be focused, and link to their run by `data-run`.

    Args:
        figure: English figure.
        key: Prefix of identifiers, unique in the page.
        title: Alternative text.
        rows: Identifier of the element that a run links to, by the run's path.
        chinese: Chinese text of each English one.
    """
    marks = {f"{key}-{index}": mark for index, mark in enumerate(figure.marks.values())}
    for identifier, artist in zip(marks, figure.marks, strict=True):
        artist.set_gid(identifier)
    outside = [*figure.legends, *(panel.get_legend() for panel in figure.axes), figure._supxlabel]
    hidden = [artist for artist in outside if artist is not None]
    for artist in hidden:
        artist.set_visible(False)
    text = encoded(figure, "svg", bbox_inches="tight", pad_inches=0.02).decode()
    for artist in hidden:
        artist.set_visible(True)
    root = ElementTree.fromstring(CONTROL.sub("", text))
    for element in root.findall(f"{SVG}metadata"):
        root.remove(element)
    used = set(re.findall(r"[\"(]#([\w-]+)", text))
    for element in root.iter():
        _shorten(element, key, used)
        if (mark := marks.get(element.attrib.get("id", ""))) is not None:
            del element.attrib["id"]
            element.attrib |= {"class": "mark", "data-arm": mark.arm}
            if mark.tip:
                translated = (chinese or {}).get(mark.tip, mark.tip)
                element.attrib |= {"data-en": mark.tip, "data-zh": translated, "tabindex": "0"}
                link = (rows or {}).get(mark.run)
                element.attrib |= {"role": "link", "data-run": link} if link else {"role": "img"}
                element.set("aria-label", mark.tip)
        if element.tag == f"{SVG}text" and (other := (chinese or {}).get(element.text or "")):
            for language, words in (("en", element.text), ("zh-Hans", other)):
                if words != element.text or other != element.text:
                    ElementTree.SubElement(element, f"{SVG}tspan", lang=language).text = words
            if len(element):
                element.text = None
    root.attrib |= {"class": "chart", "role": "group", "aria-label": title}
    ElementTree.register_namespace("", SVG[1:-1])
    return ElementTree.tostring(root, encoding="unicode")


def _shorten(element: ElementTree.Element, key: str, used: set[str]) -> None:
    """Name colours by variables, make identifiers unique, and drop those that nothing refers to."""
    for name, value in [*element.attrib.items()]:
        del element.attrib[name]
        name = name.replace(XLINK, "")
        if name == "id" and value in used:
            value = f"{key}-{value}"
        elif name == "id" and not value.startswith(f"{key}-"):
            continue
        elif name == "style":
            value = re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", value)
            for colour, variable in COLOURS.items():
                value = value.replace(colour, f"var(--{variable})")
        if name not in ("id", "style") or "url(" in value:
            value = re.sub(r"(^|\()#([\w-]+)", rf"\1#{key}-\2", value)
        if name in ("d", "x", "y", "transform"):
            value = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", value)
        element.set(name, value)
