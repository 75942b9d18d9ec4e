"""The parts for a Donkey's loop.

A part must not raise, since an exception stops the car, and must not make the loop wait. So what may take long is done
in a thread that takes the newest frame and never a queue of them, and what goes wrong is said once in the log and shown
as a picture.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

import numpy as np

from fastact.donkey.engine import Engine, Seen
from fastact.donkey.picture import View
from fastact.donkey.settings import Settings, values_of
from fastact.donkey.transformations import Pixels
from fastact.errors import FastactError
from fastact.pilots import Command
from fastact.views.notice import notice

log = logging.getLogger("fastact.donkey")

STILL = Command(0.0, 0.0)
"""What a pilot without a picture, without a model or without numbers wants: straight on, without throttle."""

STALE_SECONDS = 0.5
"""A command of an older frame than this is not given any more."""

_MOST_COMPLAINTS = 20
_JOIN_SECONDS = 2.0


class _Part:
    """What the parts share: settings, the model, the newest results, and how errors are told."""

    outputs: tuple[str, ...] = ()

    def __init__(self, config: object = None, model: object = None) -> None:
        self._said: set[str] = set()
        self._values: Mapping[str, object] = {}
        self._settings = Settings()
        self._inbox = _Inbox()
        self._thread: threading.Thread | None = None
        self._engine: Engine | None = None
        self._view: View | None = None
        self._command, self._seen_at = STILL, float("-inf")
        self._last_page: tuple[str, Pixels | None] = "", None
        self._broken = False
        try:
            self._values = values_of(config)
            self._settings = Settings.of(self._values, model)
        except Exception as error:
            self._broken = True
            self._settings = Settings.as_far_as_right(self._values)
            self._picture = self._card(error)
        else:
            self._picture = self._page("fastact", f"reading {self._settings.model}")

    def run_threaded(self, frame: Pixels | None = None, *others: object) -> object:
        """Leaves the newest frame for the thread, and gives the newest results.

        Args:
            frame: the camera's picture, uint8 (H, W, 3), (H, W, 1) or (H, W), of any size; None for none.
            others: numbers from other parts, for a model that takes them besides (imu, behavior).
        """
        if frame is not None:
            own = np.array(frame) if isinstance(frame, np.ndarray) else frame  # the camera may write into its own
            self._inbox.put((own, others, time.monotonic()))
        return self._answer(has_frame=frame is not None)

    def run(self, frame: Pixels | None = None, *others: object) -> object:
        """The same where the car gives the part no thread: it starts one of its own."""
        self._start_thread()
        return self.run_threaded(frame, *others)

    def update(self) -> None:
        """What the thread does until `shutdown`: reads the model, then one frame after the other, always the newest."""
        self._thread = threading.current_thread()
        self._prepare()
        while (item := self._inbox.take()) is not None:
            self._work(item)

    def shutdown(self) -> None:
        """Ends the thread and lets the model go."""
        self._inbox.close()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.ident is not None:
            thread.join(_JOIN_SECONDS)
        self._engine = self._view = None
        self._command = STILL

    def _start_thread(self) -> None:
        if self._thread is None and not self._inbox.closed:
            self._thread = threading.Thread(target=self.update, name="fastact", daemon=True)
            self._thread.start()

    def _prepare(self) -> None:
        """Reads the model, once."""
        if self._engine is not None or self._broken:
            return
        shows = "image" in self.outputs
        try:
            steers = bool({"angle", "throttle"} & set(self.outputs))
            engine = Engine(self._settings, self._values, shows=shows, steers=steers)
            self._view = View(self._settings, engine) if shows else None
            self._engine = engine
        except Exception as error:
            self._broken = True
            self._picture = self._card(error)

    def _work(self, item: object) -> None:
        """What the thread does with an item of the inbox: a frame, or what was seen in one."""
        try:
            if isinstance(item, Seen):
                self._draw(item)
            elif isinstance(item, tuple):
                frame, others, came = item
                self._draw(self._look(frame, others, came))
        except Exception as error:
            self._picture = self._card(error)

    def _look(self, frame: Pixels, others: tuple[object, ...], came: float) -> Seen | None:
        """Computes a frame and keeps its command; None without a model."""
        engine = self._engine
        if engine is None:
            self._command = STILL
            return None
        seen = engine(frame, *others)
        for name, why in seen.maps.missing.items():
            self._tell(f"layer {name!r} is not computed: {why}")
        if seen.command is not None:
            if not seen.command.is_finite:
                self._tell(
                    f"steering and throttle of {engine.name} are not numbers (NaN or infinity), and the car stands: "
                    "give it another model"
                )
            self._command, self._seen_at = seen.command if seen.command.is_finite else STILL, came
        return seen

    def _draw(self, seen: Seen | None) -> None:
        view = self._view
        if seen is not None and view is not None:
            self._picture = view(seen)

    def _answer(self, *, has_frame: bool) -> object:
        """The newest results as the loop takes them: nothing, one, or several in the outputs' order."""
        fresh = has_frame and time.monotonic() - self._seen_at <= STALE_SECONDS
        command = self._command if fresh else STILL
        results = {"image": self._picture, "angle": command.angle, "throttle": command.throttle}
        if len(self.outputs) < 2:
            return results[self.outputs[0]] if self.outputs else None
        return tuple(results[name] for name in self.outputs)

    def _card(self, error: Exception) -> Pixels:
        """The picture for an error, which is told in the log the first time."""
        reason = str(error) if isinstance(error, FastactError) else f"{type(error).__name__}: {error}"
        self._tell(f"no feature maps: {reason}", None if isinstance(error, FastactError) else error)
        return self._page("no feature maps", reason)

    def _tell(self, text: str, error: Exception | None = None) -> None:
        """Puts a sentence into the log, the first time; with the traceback of an error in fastact itself."""
        if text not in self._said and len(self._said) < _MOST_COMPLAINTS:
            self._said.add(text)
            log.error("%s", text, exc_info=error)

    def _page(self, title: str, text: str) -> Pixels:
        """A picture of words; the last one again where it says the same or nobody looks."""
        shown, picture = self._last_page
        if picture is None or (shown != text and "image" in self.outputs):
            picture = notice(title, text, width=self._settings.width, height=self._settings.height)
            self._last_page = text, picture
        return picture


class FeatureMapPart(_Part):
    """Shows what the network sees.

        V.add(FeatureMapPart(cfg, model="models/pilot.h5"), inputs=["cam/image_array"],
              outputs=["fastact/image_array"], threaded=True)

    With FASTACT_OUTPUTS = ["image", "angle", "throttle"] it also gives what the network wants the car to do, of the
    same pass. Everything is done in a thread, threaded=True or not, so that the loop never waits; while a frame is
    computed newer ones replace each other, and the results are those of the newest frame that is done. Without a
    picture, and when none was done for half a second, the numbers are 0.

    Args:
        config: the car's configuration, donkeycar's `cfg`; its FASTACT_ names are listed in docs/donkey.md.
        model: the path of the model's file; None for FASTACT_MODEL.
    """

    def __init__(self, config: object = None, model: object = None) -> None:
        super().__init__(config, model)
        self.outputs = self._settings.outputs


class Pilot(_Part):
    """Drives: steering and throttle of the network, as donkeycar's own pilots give them, without TensorFlow.

        V.add(Pilot(cfg, model="models/pilot.h5"), inputs=["cam/image_array"],
              outputs=["pilot/angle", "pilot/throttle"], run_condition="run_pilot")

    `run` computes the frame it is given before it returns, as donkeycar's pilots do, so that the car steers by what it
    sees now; with threaded=True the command is that of the newest frame that is done. Without a picture or a model it
    gives 0 and 0.

    Args:
        config: the car's configuration, donkeycar's `cfg`.
        model: the path of the model's file; None for FASTACT_MODEL.
    """

    outputs: tuple[str, ...] = ("angle", "throttle")

    def __init__(self, config: object = None, model: object = None) -> None:
        super().__init__(config, model)
        self._prepare()

    def run(self, frame: Pixels | None = None, *others: object) -> object:
        """Steering, from -1 (left) to 1, and throttle for a camera's picture."""
        try:
            if frame is None:
                return self._answer(has_frame=False)
            seen = self._look(frame, others, time.monotonic())
            self._pass_on(seen)
        except Exception as error:
            self._picture, self._command = self._card(error), STILL
        return self._answer(has_frame=True)

    def _pass_on(self, seen: Seen | None) -> None:
        """Does more with what was seen; a pilot does not."""


class CvController(Pilot):
    """Drives and shows, put into a car by its configuration alone, with donkeycar's cv_control template:

        CV_CONTROLLER_MODULE = "fastact.donkey"
        CV_CONTROLLER_CLASS = "CvController"
        FASTACT_MODEL = "models/pilot.h5"
        OVERLAY_IMAGE = True

    Its outputs are that template's: steering, throttle, and the picture. The frame is computed in `run`, and
    drawn in a thread.

    Args:
        pid: the template's controller, which a network has no use for.
        config: the car's configuration, donkeycar's `cfg`.
    """

    outputs = ("angle", "throttle", "image")

    def __init__(self, pid: object, config: object) -> None:
        super().__init__(config)

    def _pass_on(self, seen: Seen | None) -> None:
        self._start_thread()
        if seen is not None:
            self._inbox.put(seen)


class _Inbox:
    """Room for one item: a newer one takes the place of one that nobody has taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: object = None
        self.closed = False

    def put(self, item: object) -> None:
        """Leaves an item; returns at once."""
        with self._changed:
            self._item = item
            self._changed.notify()

    def take(self) -> object:
        """Waits for an item; None when the inbox was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._item is not None)
            item, self._item = self._item, None
            return None if self.closed else item

    def close(self) -> None:
        """Wakes whoever waits, for good."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
