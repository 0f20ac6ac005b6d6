"""One rule for names that become folders: run ids, groups, sweeps."""

FORBIDDEN = '/\\#?%:"<>|*'  # which W&B refuses in an id; most file systems do too

MAX_BYTES = 255  # of a name, on nearly every file system
ROOM = 32  # for what the suite puts around a name: `.NAME.xxxxxxxx`, `NAME.unreadable`


def check_folder_name(name: str, argument: str) -> None:
    """Refuse a name that is no plain name of one folder.

    Args:
        name: The name of a folder to be made.
        argument: What the name was given for, as the error begins.

    Raises:
        ValueError: it is empty, holds a separator, a control character or an invisible one, begins
            or ends with a space, or is too long.
    """
    shown = repr(name) if len(name) <= 40 else f"{name[:40]!r}..."  # which escapes the invisible
    if name in ("", ".", "..") or set(name) & set(FORBIDDEN) or name != name.strip(" "):
        raise ValueError(
            f"{argument} {shown}: must be a plain name, without {FORBIDDEN} or spaces around it"
        )
    if not name.isprintable():  # line feeds, escapes, bidi marks, bytes that are no UTF-8
        raise ValueError(f"{argument} {shown}: must be a plain name of printable characters")
    if len(name.encode()) > MAX_BYTES - ROOM:
        raise ValueError(
            f"{argument} {shown}: must be at most {MAX_BYTES - ROOM} bytes long, "
            f"not {len(name.encode())}"
        )
