"""Font for Chinese figures; Chinese needs one that has the characters."""

from functools import cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

CHARACTERS = "宽度深度分辨率训练轮次延迟参数量乘加运算准确率噪声"
# Likely fonts, tried before all others.
LIKELY = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei"),
    *("SimHei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "Arial Unicode MS"),
)
NO_FONT = "Last Resort"  # draws every character as a box


@cache
def chinese_font() -> str | None:
    """Return the name of a font on this machine that has the characters; None without one."""
    known = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    likely = [name for name in LIKELY if name in known]
    others = sorted(name for name in known if name not in likely and not name.startswith(NO_FONT))
    for name in [*likely, *others]:
        if _has(known[name]):
            return name
    # Matplotlib caches its list of fonts; fonts that were installed later are not in it.
    for file in sorted(set(font_manager.findSystemFonts()) - {*known.values()}):
        if _has(file):
            font_manager.fontManager.addfont(file)
            return font_manager.fontManager.ttflist[-1].name
    return None


def _has(file: str) -> bool:
    """Return whether a font has all of the characters."""
    try:
        font = FT2Font(file)
    except (OSError, RuntimeError):
        return False
    return all(font.get_char_index(ord(character)) for character in CHARACTERS)
