"""Figures as SVG elements of a page, with tooltips, in its colours and languages."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

import matplotlib

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
# Characters that look like a marker, filled and hollow.
GLYPHS = {
    "*": "★☆",
    "s": "■□",
    "D": "◆◇",
    "^": "▲△",
    "o": "●○",
    "v": "▼▽",
    "P": "✚✚",
    "X": "✖✖",
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
    in `data-en`, and in `data-zh` if it differs; they can be focused, and link to their run by
    `data-run`.

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
    outside = [*figure.legends, *(panel.get_legend() for panel in figure.axes)]
    outside.append(getattr(figure, "_supxlabel", None))
    hidden = [artist for artist in outside if artist is not None]
    for artist in hidden:
        artist.set_visible(False)
    with matplotlib.rc_context({"svg.fonttype": "none"}):
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
                element.attrib |= {"data-en": mark.tip, "tabindex": "0"}
                if (translated := (chinese or {}).get(mark.tip, mark.tip)) != mark.tip:
                    element.set("data-zh", translated)
                link = (rows or {}).get(mark.run)
                element.attrib |= {"role": "link", "data-run": link} if link else {"role": "img"}
        other = (chinese or {}).get(element.text or "", element.text)
        if element.tag == f"{SVG}text" and other != element.text:
            for language, words in (("en", element.text), ("zh-Hans", other)):
                ElementTree.SubElement(element, f"{SVG}tspan", lang=language).text = words
            element.text = None
    root.attrib |= {"class": "chart", "role": "group", "aria-label": title}
    ElementTree.register_namespace("", SVG[1:-1])
    return ElementTree.tostring(root, encoding="unicode")


def inked(colour: str) -> str:
    """Return a colour as a style of the page, whose variables differ in light and dark."""
    name = COLOURS.get(colour.lower())
    return f"var(--{name})" if name else colour


def _shorten(element: ElementTree.Element, key: str, used: set[str]) -> None:
    """Name colours by variables, make identifiers unique, and drop what nothing refers to."""
    attributes, element.attrib = element.attrib, {}
    for name, value in attributes.items():
        match name.removeprefix(XLINK):
            case "id" if value.startswith(f"{key}-"):
                element.set("id", value)
            case "id":
                if value in used:
                    element.set("id", f"{key}-{value}")
            case "href" | "clip-path":
                element.set(name.removeprefix(XLINK), value.replace("#", f"#{key}-"))
            case "style":
                style = re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", value)
                style = re.sub("#[0-9a-f]{6}", lambda colour: inked(colour[0]), style)
                element.set(name, style.replace(": ", ":").replace("; ", ";"))
            case "d" | "x" | "y" | "transform":
                short = re.sub(r"-?\d+\.\d{2,}", lambda number: f"{float(number[0]):.2f}", value)
                short = re.sub(r"rotate\(-0 [^)]*\)", "", short)
                if short := " ".join(short.split()):
                    element.set(name, short)
            case _:
                element.set(name, value)
    if element.tag not in (f"{SVG}text", f"{SVG}tspan"):
        element.text = None
    element.tail = None
