"""Figures and sentences on one trained network, for the notebooks in analysis/."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lit_effnet.attribution.feature_maps import FeatureMaps
    from lit_effnet.attribution.pictures import Picture
    from lit_effnet.attribution.session import CamSession

METHOD = "gradcam"
SPLIT = "validation"
SIZE = 224  # pixels of the shown images
PICTURES, BATCH = 4, 16
SILENT = 1e-3  # of a stage's strongest channel


def maps_figure(run: Path, count: int = PICTURES) -> "Figure":
    """Draw Grad-CAM of a trained network on images of its validation split.

    Args:
        run: The run folder.
        count: Number of images, spread over the classes.

    Raises:
        ValueError: the run has no weights, or its images are not available.
    """
    from lit_effnet.attribution.figures import map_grid
    from lit_effnet.attribution.session import targets_of

    session, pictures = _open(run, count)
    column = session.column(
        pictures,
        targets_of(pictures, None, session),
        METHOD,
        probabilities=session.probabilities(pictures),
        size=SIZE,
        title=session.title,
    )
    note = "red marks the strongest evidence for the image's class; captions show the prediction"
    return map_grid([picture.title for picture in pictures], [column], note)


def maps_sentence(run: Path, count: int = PICTURES) -> str:
    """Return the number of correct predictions, and the mean area of strong evidence.

    Args:
        run: The run folder.
        count: Number of images, spread over the classes.

    Raises:
        ValueError: the run has no weights, or its images are not available.
    """
    from lit_effnet.attribution.session import targets_of

    session, pictures = _open(run, count)
    targets = targets_of(pictures, None, session)
    correct = int((session.probabilities(pictures).argmax(1) == targets).sum())
    maps = session.maps(pictures, targets, METHOD, SIZE)
    strong = float((maps > 0.5).mean())
    return (
        f"{session.evaluated.arm} ({session.image_size} px) predicts {correct} of {len(pictures)} "
        f"images correctly. On average, {100 * strong:.0f} % of an image is above half of its "
        "map's maximum."
    )


def features_figure(run: Path, channels: int = 8) -> "Figure":
    """Draw feature maps of every stage of a trained network, on one validation image.

    Args:
        run: The run folder.
        channels: Number of channels of each stage, the strongest first.

    Raises:
        ValueError: the run has no weights, or its images are not available.
    """
    from lit_effnet.attribution.figures import feature_grid

    session, pictures = _open(run, 1)
    (view,) = session.views(pictures, SIZE)
    title = session.title.replace("\n", ", ")
    title = f"{title}: {pictures[0].title}, strongest channels first"
    return feature_grid(title, view, _stages(session, pictures), count=channels)


def features_sentence(run: Path) -> str:
    """Return the sizes of the feature maps, and the number of silent channels of the last stage.

    Args:
        run: The run folder.

    Raises:
        ValueError: the run has no weights, or its images are not available.
    """
    session, pictures = _open(run, 1)
    stages = _stages(session, pictures)
    sides = [stage.maps.shape[-1] for stage in stages]
    strength = stages[-1].maps[0].abs().amax((1, 2))
    silent = int((strength <= SILENT * strength.max()).sum())
    return (
        f"On {pictures[0].title}, the feature maps of {session.evaluated.arm} shrink from "
        f"{sides[0]} x {sides[0]} to {sides[-1]} x {sides[-1]} over {len(stages)} stages. Of the "
        f"last stage's {len(strength):,} channels, {silent:,} are silent."
    )


def _open(run: Path, count: int) -> tuple["CamSession", list["Picture"]]:
    from lit_effnet.attribution.pictures import of_split
    from lit_effnet.attribution.session import CamSession
    from lit_effnet.evaluation.target import Overrides, load_target

    try:
        target = load_target(str(run), Overrides({}, num_workers=0))
    except ValueError as error:
        raise ValueError(f"{run.name}: {error}") from error
    session = CamSession(target, "cpu", BATCH)
    return session, of_split(target.data, SPLIT, count)


def _stages(session: "CamSession", pictures: list["Picture"]) -> list["FeatureMaps"]:
    from lit_effnet.attribution.feature_maps import feature_maps

    return feature_maps(session.network, session.batch(pictures))
