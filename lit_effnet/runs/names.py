"""Check names that become folders: run ids, groups, sweeps."""

FORBIDDEN = '/\\#?%:"<>|*'  # W&B refuses these in an id, and many file systems do too

MAX_BYTES = 255  # of a name on nearly every file system
ROOM = 32  # for prefixes and suffixes of the suite: `.NAME.xxxxxxxx`, `NAME.unreadable`


def check_folder_name(name: str, argument: str) -> None:
    """Check that a name is a plain name of one folder.

    Args:
        name: The name of a folder to be made.
        argument: The argument with this name, for messages.

    Raises:
        ValueError: It is empty or too long, has a separator or an invisible character, or begins or
            ends with a space.
    """
    shown = repr(name) if len(name) <= 40 else f"{name[:40]!r}..."  # repr escapes what is invisible
    if name in ("", ".", "..") or set(name) & set(FORBIDDEN) or name != name.strip(" "):
        raise ValueError(
            f"{argument} {shown}: must be a plain name, without {FORBIDDEN} or spaces around it"
        )
    if not name.isprintable():  # line feeds, escapes, bidi marks, bytes that are not UTF-8
        raise ValueError(f"{argument} {shown}: must be a plain name of printable characters")
    if len(name.encode()) > MAX_BYTES - ROOM:
        raise ValueError(
            f"{argument} {shown}: must be at most {MAX_BYTES - ROOM} bytes long, "
            f"not {len(name.encode())}"
        )
