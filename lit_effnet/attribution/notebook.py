"""What one trained network looks at: its maps and its feature maps, as figures and in words."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lit_effnet.attribution.feature_maps import FeatureMaps
    from lit_effnet.attribution.session import CamSession, Picture

METHOD = "gradcam"
SPLIT = "validation"
SIZE = 224  # pixels of the shown images
PICTURES, BATCH = 4, 16
SILENT = 1e-3  # of a stage's strongest channel


def maps_figure(run: Path, count: int = PICTURES) -> "Figure":
    """Grad-CAM of a trained network on images spread over its validation split.

    Args:
        run: The run folder.
        count: How many images.

    Raises:
        ValueError: the run has no weights, or its images are not there.
    """
    from lit_effnet.attribution.figures import map_grid
    from lit_effnet.attribution.session import column, targets_of

    looker, pictures = _look(run, count)
    targets = targets_of(pictures, None, looker)
    chances = looker.probabilities(pictures)
    options: Any = {"probabilities": chances, "size": SIZE, "title": looker.title}
    of_network = column(looker, pictures, targets, METHOD, **options)
    note = "red speaks most for the image's class; below, what is predicted"
    return map_grid([picture.title for picture in pictures], [of_network], note)


def maps_sentence(run: Path, count: int = PICTURES) -> str:
    """How many of the shown images the network tells right, and how small the red places are.

    Args:
        run: The run folder.
        count: How many images.

    Raises:
        ValueError: the run has no weights, or its images are not there.
    """
    from lit_effnet.attribution.session import targets_of

    looker, pictures = _look(run, count)
    targets = targets_of(pictures, None, looker)
    predicted = looker.probabilities(pictures).argmax(1)
    right = int((predicted == targets).sum())
    maps = looker.maps(pictures, targets, METHOD, SIZE)
    red = float((maps > 0.5).mean())
    return (
        f"{looker.subject.arm} ({looker.image_size} px) tells {right} of {len(pictures)} shown "
        f"images right; on average {100 * red:.0f} % of an image has more than half of its map's "
        "greatest value."
    )


def features_figure(run: Path, channels: int = 8) -> "Figure":
    """Feature maps of a trained network at the end of every stage, on one validation image.

    Args:
        run: The run folder.
        channels: How many of each stage, the strongest first.

    Raises:
        ValueError: the run has no weights, or its images are not there.
    """
    from lit_effnet.attribution.figures import feature_grid

    looker, pictures = _look(run, 1)
    (view,) = looker.views(pictures, SIZE)
    title = f"{looker.title.replace(chr(10), ', ')}: {pictures[0].title}, strongest channels first"
    return feature_grid(title, view, _stages(looker, pictures), count=channels)


def features_sentence(run: Path) -> str:
    """How the maps of the stages shrink, and how many channels of the last are silent.

    Args:
        run: The run folder.

    Raises:
        ValueError: the run has no weights, or its images are not there.
    """
    looker, pictures = _look(run, 1)
    stages = _stages(looker, pictures)
    sides = [stage.maps.shape[-1] for stage in stages]
    strength = stages[-1].maps[0].abs().amax((1, 2))
    silent = int((strength <= SILENT * strength.max()).sum())
    return (
        f"On {pictures[0].title}, {looker.subject.arm} has maps from {sides[0]} x {sides[0]} down "
        f"to {sides[-1]} x {sides[-1]} places in {len(stages)} stages; of the last one's "
        f"{len(strength):,} channels {silent:,} are silent."
    )


def _look(run: Path, count: int) -> tuple["CamSession", list["Picture"]]:
    from lit_effnet.attribution.session import CamSession, of_split
    from lit_effnet.evaluation.target import Overrides, load_target

    try:
        found = load_target(str(run), Overrides({}, num_workers=0))
    except ValueError as error:
        raise ValueError(f"{run.name}: {error}") from error
    looker = CamSession(found, "cpu", BATCH)
    return looker, of_split(looker.subject.data, SPLIT, count)


def _stages(looker: "CamSession", pictures: list["Picture"]) -> list["FeatureMaps"]:
    from lit_effnet.attribution.feature_maps import feature_maps

    return [*feature_maps(looker.network, looker.batch(pictures))]
