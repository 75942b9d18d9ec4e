"""fastact's parts beside donkeycar's own code: one check a name.

`test_donkey_vehicle.py` runs it in the car's environment.

    python beside.py masks
    python beside.py pilots FOLDER      # with pilots' files in it, named by type
"""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import donkeycar
import donkeycar.parts.keras as keras_parts
import numpy as np
from donkeycar.config import load_config
from donkeycar.parts.camera import MockCamera
from donkeycar.parts.image_transformations import ImageTransformations
from donkeycar.parts.interpreter import Interpreter
from donkeycar.vehicle import Vehicle
from PIL import Image

import fastact
from fastact import samples
from fastact.donkey import CvController, FeatureMapPart, Pilot
from fastact.donkey import part as part_module
from fastact.donkey.config import read_config
from fastact.donkey.transformations import Transformations
from fastact.errors import InputError

# A busy machine may take long for a frame, and to end a thread: no command grows old, and the end is waited for.
part_module.STALE_SECONDS = float("inf")
part_module._JOIN_SECONDS = PATIENCE = 60.0

FRAME = np.asarray(Image.open(samples.frame("160x120")).convert("RGB"))
SIZES = ((160, 120), (320, 240), (97, 61))
PILOTS = {
    "linear": "KerasLinear",
    "inferred": "KerasInferred",
    "categorical": "KerasCategorical",
    "memory": "KerasMemory",
    "imu": "KerasIMU",
    "behavior": "KerasBehavioral",
    "localizer": "KerasLocalizer",
    "rnn": "KerasLSTM",
    "three_d": "Keras3D_CNN",
}
"""donkeycar's classes; that for latent cannot drive: it takes two indices of an output that has one."""


def masks() -> None:
    """Masks are donkeycar's to the pixel, resized pictures to a level of 255."""
    random = np.random.default_rng(5)
    for number in range(1500):
        width, height = SIZES[number % 3]
        whole = lambda low, high: int(random.integers(low, high + 1))  # noqa: E731
        name = ("CROP", "TRAPEZE", "TRAPEZE_EDGE")[number // 3 % 3]
        far = 20 if number % 2 else 0  # half of them reach beyond the picture
        corners = (whole(-far, width // 2), whole(0, width + far), whole(-far, width // 2), whole(0, width + far))
        rows = whole(-far, height // 2), whole(0, height + far)
        values = dict(zip(("UL", "UR", "LL", "LR", "MIN_Y", "MAX_Y"), (*corners, *rows), strict=True))
        cfg = {f"ROI_TRAPEZE_{side}": value for side, value in values.items()}
        cfg |= {f"ROI_CROP_{side}": whole(-3, 60) for side in ("LEFT", "TOP", "RIGHT", "BOTTOM")}
        cfg["TRANSFORMATIONS"] = [name]
        picture = random.integers(1, 256, (height, width, 1 + 2 * (number % 5 > 0)), dtype=np.uint8)
        theirs = ImageTransformations(SimpleNamespace(**cfg), "TRANSFORMATIONS").run(picture)
        np.testing.assert_array_equal(Transformations(cfg)(picture), theirs, err_msg=str(cfg))
    for number in range(150):
        width, height = SIZES[number % 3]
        wide, high = (width // 2, height // 2) if number % 10 == 0 else map(int, random.integers(1, 400, 2))
        cfg = {"TRANSFORMATIONS": ["RESIZE"], "RESIZE_WIDTH": wide, "RESIZE_HEIGHT": high}
        picture = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        theirs = ImageTransformations(SimpleNamespace(**cfg), "TRANSFORMATIONS").run(picture)
        assert np.abs(Transformations(cfg)(picture).astype(int) - theirs).max() <= 1, cfg


def configs() -> None:
    """What is read of donkeycar's own configuration files is what it gets by executing them."""
    templates = Path(donkeycar.__file__).parent / "templates"
    files = sorted(templates.glob("cfg_*.py"))
    assert len(files) > 3
    for file in files:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "config.py"
            path.write_bytes(file.read_bytes())
            own = templates / "myconfig.py"
            mine = own.read_text() if own.is_file() else ""
            path.with_name("myconfig.py").write_text(f"{mine}\nIMAGE_W = 2 * 112\nTRANSFORMATIONS = ['CROP']\n")
            theirs, ours = load_config(str(path)), read_config(path)
            refused = []
            for name in ours:
                try:
                    value = ours[name]
                except InputError:
                    refused.append(name)
                    continue
                assert value == getattr(theirs, name) or name == "CONFIG_PATH", (file.name, name)
            assert set(ours) == {name for name in dir(theirs) if name.isupper()}, file.name
            assert ours["IMAGE_W"] == 224
            assert ours["TRANSFORMATIONS"] == ["CROP"]
            # Folders, which come of os.path, and what may come of the environment.
            assert all(name.endswith(("_PATH", "_PORT", "_CONF")) for name in refused), (file.name, refused)


class FastactInterpreter(Interpreter):
    """Computes for donkeycar's pilots, so that what they make of the outputs can be seen without TensorFlow."""

    def load(self, model_path: str) -> None:
        self._model = fastact.load(model_path)
        self.input_keys, self.output_keys = list(self._model.inputs), list(self._model.outputs)
        self._extract = fastact.Extractor(self._model, self.output_keys)

    def get_input_shape(self, input_name: str) -> tuple[int | None, ...]:
        return (None, *self._model.input_shapes[input_name])

    def predict_from_dict(self, input_dict: dict[str, Any]) -> Any:
        maps = self._extract({name: np.asarray(array, np.float32) for name, array in input_dict.items()})
        outputs = [maps[name] for name in self.output_keys]
        return outputs if len(outputs) > 1 else outputs[0]


def pilots(folder: str) -> None:
    """Steering and throttle are those of donkeycar's pilots, frame by frame."""
    keras_parts.tf = SimpleNamespace(TensorShape=lambda shape: shape)
    others = {"imu": [np.linspace(-1, 1, 6).tolist()], "behavior": [[0, 1, 0]]}
    for name, class_name in PILOTS.items():
        path = str(Path(folder) / f"{name}.h5")
        more = {"seq_length": 3} if name in ("rnn", "three_d") else {}
        theirs = getattr(keras_parts, class_name)(interpreter=FastactInterpreter(), **more)
        theirs.load(path)
        ours = Pilot(SimpleNamespace(FASTACT_MODEL=path, MODEL_CATEGORICAL_MAX_THROTTLE_RANGE=0.5))
        for step in range(6):
            frame = np.roll(FRAME, 13 * step, axis=1)
            expected = [float(np.squeeze(value)) for value in theirs.run(frame, *others.get(name, []))[:2]]
            found = ours.run(frame, *others.get(name, []))
            np.testing.assert_allclose(found, expected, atol=2e-5, err_msg=f"{name}, frame {step}")
            assert found != (0.0, 0.0)


def vehicle_with(part: Any, loops: int, outputs: list[str], frames: list[Any], **how: Any) -> Vehicle:
    """A car that sees the frames one after the other, round and round, and ends by itself."""
    camera, vehicle = MockCamera(image=FRAME), Vehicle()
    numbers = iter(range(10**6))

    class Next:
        def run(self) -> None:
            camera.frame = frames[next(numbers) % len(frames)]

    vehicle.add(Next())
    vehicle.add(camera, outputs=["cam/image_array"], threaded=True)
    vehicle.add(part, inputs=["cam/image_array"], outputs=outputs, **how)
    result = vehicle.start(rate_hz=50, max_loop_count=loops)
    assert result is not None, "the loop was left by an exception"
    assert result[0] == loops
    return vehicle


def trouble() -> None:
    """Nothing that goes wrong leaves the loop, and all of it is said once."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("fastact.donkey").addHandler(handler)
    model = str(samples.pilot())
    all_three = ["image", "angle", "throttle"]
    channels = ["fastact/image_array", "a", "t"]
    large = np.asarray(Image.open(samples.frame("640x360")).convert("RGB"))
    frames = [None, FRAME, large, FRAME[..., 0], FRAME[..., :1], None, "no frame", FRAME / 255, FRAME[:0]]
    frames.append(FRAME[:3, :3])
    for threaded in (True, False):
        part = FeatureMapPart(SimpleNamespace(FASTACT_OUTPUTS=all_three), model=model)
        vehicle = vehicle_with(part, 100, channels, frames, threaded=threaded)
        assert vehicle.mem["fastact/image_array"].shape == (600, 800, 3)
        assert "fastact" not in {t.name for t in threading.enumerate()}
        for broken in (
            {"FASTACT_MODEL": "/nowhere/pilot.h5"},
            {"FASTACT_MODEL": __file__},
            {},
            {"FASTACT_MODEL": model, "FASTACT_STYLE": "poster"},
            {"FASTACT_MODEL": model, "FASTACT_LAYERS": "nothing*"},
            {"FASTACT_MODEL": model, "TRANSFORMATIONS": ["CANNY"]},
            {"FASTACT_MODEL": model, "FASTACT_COLORMAP": "mud"},
        ):
            said.clear()
            part = FeatureMapPart(SimpleNamespace(**broken, FASTACT_OUTPUTS=all_three))
            vehicle = vehicle_with(part, 30, channels, [FRAME], threaded=threaded)
            assert vehicle.mem["fastact/image_array"].shape == (600, 800, 3)
            assert len(said) == 1, (broken, said)
    silent = FeatureMapPart(SimpleNamespace(FASTACT_OUTPUTS=[]), model=model)
    vehicle_with(silent, 20, [], [FRAME], threaded=True)
    assert silent.run(FRAME) is None
    assert hash(silent) is not None
    blind = Pilot(SimpleNamespace(FASTACT_MODEL="/nowhere/pilot.h5"))
    vehicle = vehicle_with(blind, 20, ["pilot/angle", "pilot/throttle"], frames)
    assert (vehicle.mem["pilot/angle"], vehicle.mem["pilot/throttle"]) == (0.0, 0.0)
    pilot = Pilot(None, model=model)
    vehicle_with(pilot, 40, ["pilot/angle", "pilot/throttle"], frames)
    assert pilot.run(FRAME) == (0.0, 0.0)  # since the car has stopped
    pilot = Pilot(None, model=model)
    assert pilot.run(FRAME) != (0.0, 0.0)
    assert pilot.run(None) == (0.0, 0.0)
    assert pilot.run("no frame") == (0.0, 0.0)
    assert pilot.run(FRAME) != (0.0, 0.0)


def controller() -> None:
    """The cv_control template's own function puts the controller in."""
    from donkeycar.templates.cv_control import add_cv_controller

    vehicle, camera = Vehicle(), MockCamera(image=FRAME)
    cfg = SimpleNamespace(FASTACT_MODEL=str(samples.pilot()), FASTACT_STYLE="overlay")
    vehicle.mem["run_pilot"] = True
    vehicle.add(camera, outputs=["cam/image_array"], threaded=True)
    outputs = ["pilot/steering", "pilot/throttle", "cv/image_array"]
    add_cv_controller(vehicle, cfg, None, "fastact.donkey", "CvController", ["cam/image_array"], outputs, "run_pilot")
    assert vehicle.start(rate_hz=20, max_loop_count=20) is not None
    assert vehicle.mem["cv/image_array"].shape == (600, 800, 3)
    expected = Pilot(cfg).run(FRAME)
    assert (vehicle.mem["pilot/steering"], vehicle.mem["pilot/throttle"]) == expected != (0.0, 0.0)
    broken = CvController(None, SimpleNamespace())
    assert broken.run(FRAME)[:2] == (0.0, 0.0)
    broken.shutdown()
    assert "fastact" not in {thread.name for thread in threading.enumerate()}


def slow() -> None:
    """A model that takes as long as ten loops does not hold them up: frames are dropped, and the newest is computed."""
    given, seen, held_up = [0], list[int](), list[int]()

    class Part(FeatureMapPart):
        def run_threaded(self, frame: Any = None, *others: object) -> object:
            result = super().run_threaded(frame, *others)
            if frame is not None:
                given.append(int(frame[0, 0, 0]))
            return result

    class Slow:
        layers: tuple[str, ...] = ()

        def __call__(self, frame: np.ndarray, *others: object) -> Any:
            number, end = int(frame[0, 0, 0]), time.monotonic() + PATIENCE
            seen.append(number)
            while given[-1] < number + 10 and not part._inbox.closed:
                if time.monotonic() > end:
                    held_up.append(number)
                    break
                time.sleep(0.001)
            raise InputError("slow")

    part = Part(SimpleNamespace(FASTACT_OUTPUTS=["image", "angle", "throttle"]), model=samples.pilot())
    part._engine = Slow()  # type: ignore[assignment]
    frames = [np.full((120, 160, 3), i, np.uint8) for i in range(200)]
    vehicle_with(part, 200, ["i", "a", "t"], frames, threaded=True)
    assert held_up == []
    assert 2 <= len(seen) <= 20
    assert all(later - earlier >= 10 for earlier, later in pairwise(seen))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
    print("as donkeycar has it")
