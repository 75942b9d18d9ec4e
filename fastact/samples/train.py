"""Makes the samples: ``python -m fastact.samples.train`` draws the two frames and trains the pilot.

The pilot is a network of five strided convolutions, trained with Keras on a few thousand frames of
fastact.samples.track, on two threads and from fixed seeds. The README beside it is written from what is
measured on frames that it was not trained on.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import rich.console
import rich.progress
from numpy.typing import NDArray
from PIL import Image

from fastact.errors import FastactError, MissingExtraError, OutputError
from fastact.samples import road, track

__all__ = ["SAMPLE_SEED", "SAMPLE_SIZES", "TEST_SEEDS", "main", "write_frames"]

SAMPLE_SEED = 2_000_117  #: of the scene that both sample frames show
SAMPLE_SIZES = ((160, 120), (640, 360))  #: width, height
TEST_SEEDS = range(1_000_000, 1_000_600)  #: of the frames held out; training counts up from 0

_QUALITY = 92  # of the JPEGs
_WIDTH, _HEIGHT = 160, 120
_FILTERS = (
    ("Conv2D_First_layer", 12, 5),
    ("Conv2D_Second_layer", 24, 5),
    ("Conv2D_Third_layer", 48, 5),
    ("Conv2D_Fourth_layer", 64, 3),
    ("Conv2D_Fifth_layer", 64, 3),
)
_DROPOUT = 0.1
_LEARNING_RATE = 1e-3
_BATCH = 64
_FLAT_OVER = 100  # test frames that a filter must be flat on to be counted


class Drive(NamedTuple):
    """Frames and what to do on each."""

    frames: NDArray[np.uint8]  #: (n, 120, 160, 3)
    labels: NDArray[np.float32]  #: (n, 2): steering, throttle


@dataclass(frozen=True)
class Recipe:
    """What a training run is made from."""

    frames: int
    epochs: int
    seed: int


@dataclass(frozen=True)
class Score:
    """What is measured on the test frames."""

    error: NDArray[np.float64]  #: (2,) mean squared error of steering and throttle
    mean_error: NDArray[np.float64]  #: (2,) the same for predicting the training labels' mean
    flat: dict[str, int]  #: by convolution, the filters flat on each of the first test frames
    sample: NDArray[np.float64]  #: (2,) what the pilot does on the sample frame


def draw_drive(seeds: Sequence[int], what: str) -> Drive:
    """Draws the frame of each seed at the pilot's size."""
    frames = np.empty((len(seeds), _HEIGHT, _WIDTH, 3), np.uint8)
    labels = np.empty((len(seeds), 2), np.float32)
    for i, seed in enumerate(rich.progress.track(seeds, what, console=rich.console.Console(stderr=True))):
        drawn = track.draw(seed, _WIDTH, _HEIGHT)
        frames[i], labels[i] = drawn.image, (drawn.steering, drawn.throttle)
    return Drive(frames, labels)


def write_frames(folder: Path) -> None:
    """Draws the sample frames into a folder.

    Raises:
        OutputError: a file cannot be written.
    """
    for width, height in SAMPLE_SIZES:
        picture = Image.fromarray(track.draw(SAMPLE_SEED, width, height).image)
        save = partial(picture.save, quality=_QUALITY, subsampling=0)
        _write(folder / f"track_{width}x{height}.jpg", save)


def build(keras: Any) -> Any:
    """The network, untrained: a Keras functional model with outputs for steering and throttle."""
    layers = keras.layers
    x = image = keras.Input((_HEIGHT, _WIDTH, 3), name="img_in")
    for i, (name, filters, size) in enumerate(_FILTERS, 1):
        x = layers.Conv2D(filters, size, strides=2, activation="relu", kernel_initializer="he_uniform", name=name)(x)
        x = layers.Dropout(_DROPOUT, name=f"dropout_{i}")(x)
    x = layers.Flatten(name="flattened")(x)
    x = layers.Dense(100, activation="relu", name="dense_1")(x)
    x = layers.Dense(50, activation="relu", name="dense_2")(x)
    outputs = [layers.Dense(1, name=name)(x) for name in ("n_outputs0", "n_outputs1")]
    model = keras.Model(image, outputs, name="pilot_160x120")
    for i, (name, _, _) in enumerate(_FILTERS):
        weights, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([_contrast(_smooth(weights) if i == 0 else weights), bias])
    return model


def _contrast(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights that start with mean 0 in every filter.

    What comes in is never negative, so that a filter whose weights happen to sum to much less than 0 would
    start dead under relu and stay so.
    """
    centred: NDArray[np.float32] = weights - weights.mean(axis=(0, 1, 2), keepdims=True)
    return centred


def _smooth(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights blurred over the kernel's rows and columns by (1, 2, 1) / 4, at the same scale as before.

    The first layer's filters stay near where they start; smooth ones see lines and edges rather than noise.
    """
    rows = np.pad(weights, ((1, 1), (0, 0), (0, 0), (0, 0)), mode="edge")
    blurred = (rows[:-2] + 2 * rows[1:-1] + rows[2:]) / 4
    columns = np.pad(blurred, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="edge")
    blurred = (columns[:, :-2] + 2 * columns[:, 1:-1] + columns[:, 2:]) / 4
    scaled: NDArray[np.float32] = blurred * (weights.std() / blurred.std())
    return scaled


def train(keras: Any, drive: Drive, recipe: Recipe) -> Any:
    """A network trained on the drive, each frame mirrored half of the time."""
    keras.utils.set_random_seed(recipe.seed)
    model = build(keras)
    steps = len(drive.frames) // _BATCH
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps * recipe.epochs)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=["mse", "mse"])
    batches = _batches(drive, np.random.default_rng(recipe.seed))
    model.fit(batches, steps_per_epoch=steps, epochs=recipe.epochs, verbose=2)
    return model


def _batches(
    drive: Drive, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], tuple[NDArray[np.float32], NDArray[np.float32]]]]:
    """Batches without end, in a new order each time round; only one batch at a time is held as floats."""
    while True:
        order = rng.permutation(len(drive.frames))
        for start in range(0, len(order) - _BATCH + 1, _BATCH):
            chosen = order[start : start + _BATCH]
            frames, labels = drive.frames[chosen], drive.labels[chosen]
            mirrored = rng.random(_BATCH) < 0.5
            frames[mirrored] = frames[mirrored, :, ::-1]
            labels[mirrored, 0] *= -1
            yield _scaled(frames), (labels[:, :1], labels[:, 1:])


def _scaled(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    pixels: NDArray[np.float32] = frames.astype(np.float32) / np.float32(255)
    return pixels


def score(keras: Any, model: Any, test: Drive, mean: NDArray[np.float64], sample: Path) -> Score:
    """Measures a trained network on frames it was not trained on."""
    predicted = np.hstack(model.predict(_scaled(test.frames), batch_size=_BATCH, verbose=0))
    convolutions = [name for name, _, _ in _FILTERS]
    maps = keras.Model(model.inputs, [model.get_layer(name).output for name in convolutions])
    seen = maps.predict(_scaled(test.frames[:_FLAT_OVER]), batch_size=20, verbose=0)
    with Image.open(sample) as picture:
        frame = np.asarray(picture.convert("RGB"))
    return Score(
        error=np.mean(np.square(predicted - test.labels), axis=0, dtype=np.float64),
        mean_error=np.mean(np.square(mean - test.labels), axis=0, dtype=np.float64),
        flat={
            name: int(np.sum(np.ptp(layer, axis=(1, 2)).max(axis=0) == 0))
            for name, layer in zip(convolutions, seen, strict=True)
        },
        sample=np.hstack(model.predict(_scaled(frame[None]), verbose=0))[0].astype(np.float64),
    )


def describe(recipe: Recipe, result: Score, versions: str, seconds: float) -> str:
    """The README of the samples, in Markdown."""
    errors = "\n".join(
        f"| {name} | {error:.5f} | {mean:.5f} | {100 * error / mean:.1f} % |"
        for name, error, mean in zip(("steering", "throttle"), result.error, result.mean_error, strict=True)
    )
    flat = "\n".join(
        f"| `{name}` | {filters} of {size}x{size} | {result.flat[name]} |" for name, filters, size in _FILTERS
    )
    truth = track.draw(SAMPLE_SEED, *SAMPLE_SIZES[0])
    angle = np.degrees(road.MAX_STEERING_ANGLE)
    return f"""# Samples

A pilot and two frames to try fastact on. `python -m fastact.samples.train` makes everything in this folder
that is not Python, this page included, and needs the extra `verify`; with `--frames-only` it redraws the two
frames alone, and needs no extra.

| file | what it is |
| --- | --- |
| `pilot_160x120.h5` | a Keras model, legacy format, input `img_in` of 120x160x3 in 0..1 |
| `track_160x120.jpg`, `track_640x360.jpg` | one synthetic scene (seed {SAMPLE_SEED}) at two sizes; both \
have the same horizontal field of view, so that the wider one shows less at the top and bottom |

## The pilot

Five convolutions (stride 2, `valid`, relu, dropout {_DROPOUT} after each), dense layers of 100 and 50, two
linear outputs: `n_outputs0` steers (-1 left .. 1 right), `n_outputs1` is the throttle (0 .. 1). Trained with
Adam on {recipe.frames} frames (seeds from 0 on), mirrored at random, for {recipe.epochs} epochs of \
batches of {_BATCH}; the seed
of the weights and of the order is {recipe.seed}. Convolutions start from He's uniform distribution less each
filter's mean, the first one smoothed. Drawing, training and measuring took {seconds:.0f} s with {versions}.

Mean squared error on {len(TEST_SEEDS)} frames that it was not trained on (seeds from {TEST_SEEDS.start} on):

| output | the pilot | predicting the mean | ratio |
| --- | --- | --- | --- |
{errors}

On `track_160x120.jpg`: steering {result.sample[0]:+.2f} (label {truth.steering:+.2f}), \
throttle {result.sample[1]:.2f} (label {truth.throttle:.2f}).

Filters whose map is flat (one value all over) on every one of {_FLAT_OVER} test frames:

| layer | filters | flat |
| --- | --- | --- |
{flat}

## The labels

Both follow from the road alone, not from the picture.

- Steering is pure pursuit of the centre line (R. C. Coulter, CMU-RI-TR-92-01, 1992): with (x, z) the point of
  the centre line {road.LOOK_AHEAD} m along the road, x metres to the right of the car and z ahead, the label
  is atan(2 · {road.WHEELBASE} x / (x² + z²)) / {angle:.0f}°, clipped to -1 .. 1. The offset from the centre line,
  the error of heading and the curvature ahead all enter through that point.
- Throttle keeps the sideways acceleration in bounds: with k the size of the curvature in 1/m, averaged over
  {road.SIGHT} m of road ahead, the label is {road.MAX_THROTTLE} · min(1, sqrt({road.FULL_SPEED_CURVATURE} / k)).
"""


def _write(path: Path, save: Callable[[Path], object]) -> None:
    """Saves beside a path and then puts the file in its place, so that none is ever half-written."""
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        save(beside)
        beside.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}; choose another folder with --out") from error
    finally:
        beside.unlink(missing_ok=True)


def _keras() -> tuple[Any, str]:
    """Keras on two threads, every operation deterministic, and a line that names the versions."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingExtraError("training the sample pilot", "TensorFlow", "verify") from error
    import keras

    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    versions = f"Keras {keras.__version__}, TensorFlow {tf.__version__}, NumPy {np.__version__}"
    return keras, f"{versions}, Python {platform.python_version()}"


def make(folder: Path, recipe: Recipe) -> Score:
    """Draws the frames, trains the pilot, measures it, and writes all of it with its README into a folder.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        OutputError: a file cannot be written.
    """
    keras, versions = _keras()
    write_frames(folder)
    start = time.monotonic()
    drive = draw_drive(range(recipe.frames), "drawing the training frames")
    test = draw_drive(TEST_SEEDS, "drawing the test frames")
    model = train(keras, drive, recipe)
    mean = drive.labels.mean(axis=0, dtype=np.float64)
    result = score(keras, model, test, mean, folder / "track_160x120.jpg")
    seconds = time.monotonic() - start
    _write(folder / "pilot_160x120.h5", lambda path: model.save(path, include_optimizer=False))
    text = describe(recipe, result, versions, seconds)
    _write(folder / "README.md", lambda path: path.write_text(text, encoding="utf-8"))
    return result


@click.command()
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(__file__).parent,
    help="Where the files go; the package's own folder unless told.",
)
@click.option("--frames-only", is_flag=True, help="Draw the two sample frames and stop.")
@click.option("--frames", type=click.IntRange(_BATCH), default=4000, show_default=True, help="To train on.")
@click.option("--epochs", type=click.IntRange(1), default=22, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of weights and order.")
def main(folder: Path, frames_only: bool, frames: int, epochs: int, seed: int) -> None:
    """Draw the sample frames and train the sample pilot (a few minutes on two cores)."""
    try:
        if frames_only:
            write_frames(folder)
            return
        result = make(folder, Recipe(min(frames, TEST_SEEDS.start), epochs, seed))
    except FastactError as error:
        raise click.ClickException(str(error)) from error
    for name, reached, mean in zip(("steering", "throttle"), result.error, result.mean_error, strict=True):
        click.echo(f"{name}: test error {reached:.5f}, predicting the mean {mean:.5f}")


if __name__ == "__main__":
    main()
