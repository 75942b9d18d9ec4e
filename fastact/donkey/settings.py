"""What a car's myconfig.py says to the parts: one record, and the table of its names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any

from fastact.engines import DEVICES
from fastact.errors import InputError

STYLES = ("mosaic", "overlay", "saliency")
OUTPUTS = ("image", "angle", "throttle")
_THROTTLE_RANGE = "MODEL_CATEGORICAL_MAX_THROTTLE_RANGE"


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """The FASTACT_ settings; each field is the upper-case name without FASTACT_, and says what it means.

    Raises:
        InputError: a value that is none of those the setting can have.
    """

    model: str | None = _setting(None, "path of the model's file; needed unless the part is given one")
    layers: str | tuple[str, ...] | None = _setting(
        None, "layers to show: a name, a pattern such as 'conv2d_[12]', or a list of them; None for every convolution"
    )
    style: str = _setting(
        "mosaic",
        "'mosaic': all filters of the layers; 'overlay': the mean of one layer's filters over the picture; 'saliency': "
        "VisualBackProp over the picture",
    )
    overlay: str | None = _setting(
        None, "the layer that an overlay shows, or that saliency begins with; None for the last"
    )
    width: int = _setting(800, "pixels of the picture")
    height: int = _setting(600, "pixels of the picture")
    colormap: str | None = _setting(None, "a colour map; None for viridis in mosaics, else inferno")
    opacity: float = _setting(0.6, "how much of the camera's picture an overlay's brightest colour covers, 0 to 1")
    camera: bool = _setting(True, "whether a mosaic has the camera's picture and the steering above it")
    outputs: tuple[str, ...] = _setting(
        ("image",), "what FeatureMapPart gives, in this order: of 'image', 'angle', 'throttle'"
    )
    transform: bool = _setting(
        True, "whether TRANSFORMATIONS are applied; False where the part's input is cam/image_array_trans"
    )
    threads: int = _setting(1, "threads that compute a frame together")
    device: str = _setting(
        "cpu", "'cpu'; 'cuda', the GPU; or 'auto', the GPU if it can be used, else the CPU, and the log says why"
    )
    throttle_range: float | None = _setting(
        None, f"throttle at which a categorical pilot's last place lies; None for {_THROTTLE_RANGE}, or 0.5"
    )

    def __post_init__(self) -> None:
        for name in ("width", "height", "threads"):
            _check(name, getattr(self, name), type(getattr(self, name)) is int, "a whole number")
        for name in ("camera", "transform"):
            _check(name, getattr(self, name), isinstance(getattr(self, name), bool), "True or False")
        for name in ("model", "overlay", "colormap"):
            _check(name, getattr(self, name), isinstance(getattr(self, name), str | None), "a text or None")
        _check("device", self.device, self.device in DEVICES, f"one of {', '.join(map(repr, DEVICES))}")
        _check("style", self.style, self.style in STYLES, f"one of {', '.join(map(repr, STYLES))}")
        _check("width", self.width, 320 <= self.width <= 4096, "from 320 to 4096")
        _check("height", self.height, 240 <= self.height <= 4096, "from 240 to 4096")
        _check("opacity", self.opacity, _is_number(self.opacity) and 0 <= self.opacity <= 1, "a number from 0 to 1")
        fits = self.throttle_range is None or (_is_number(self.throttle_range) and 0 < self.throttle_range <= 1)
        _check("throttle_range", self.throttle_range, fits, "a number above 0 and up to 1")
        one_or_many = isinstance(self.layers, str | None) or _are_texts(self.layers)
        _check("layers", self.layers, one_or_many, "a text, a list of texts, or None")
        known = _are_texts(self.outputs) and sorted(set(self.outputs) & set(OUTPUTS)) == sorted(self.outputs)
        _check("outputs", self.outputs, known, f"a list of {', '.join(map(repr, OUTPUTS))}, each at most once")

    @classmethod
    def of(cls, values: Mapping[str, object], model: object = None) -> Settings:
        """From a configuration's names and values; `model` comes before FASTACT_MODEL."""
        found: dict[str, Any] = {}
        for one in fields(cls):
            name = f"FASTACT_{one.name.upper()}"
            if name in values:
                value = values[name]
                found[one.name] = tuple(value) if isinstance(value, list | tuple) else value
        for name in ("model", "outputs"):
            if isinstance(found.get(name), os.PathLike):
                found[name] = os.fspath(found[name])
        if isinstance(found.get("outputs"), str):
            found["outputs"] = (found["outputs"],)
        if found.get("throttle_range") is None and values.get(_THROTTLE_RANGE) is not None:
            found["throttle_range"] = values[_THROTTLE_RANGE]
        if isinstance(model, str | os.PathLike):
            found["model"] = os.fspath(model)
        return cls(**found)

    @classmethod
    def as_far_as_right(cls, values: Mapping[str, object]) -> Settings:
        """The settings without those that cannot be, for what still has to be shown and given then."""
        right: dict[str, object] = {}
        for one in fields(cls):
            name = f"FASTACT_{one.name.upper()}"
            if name in values:
                with suppress(InputError, TypeError):
                    cls.of({name: values[name]})
                    right[name] = values[name]
        return cls.of(right)


def values_of(config: object) -> Mapping[str, object]:
    """The upper-case names of a configuration: a mapping as it is, donkeycar's Config or any other object by its
    attributes."""
    if isinstance(config, Mapping):
        return config
    return {name: getattr(config, name) for name in dir(config) if name.isupper()}


def table() -> str:
    """The settings as docs/donkey.md lists them."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for one in fields(Settings):
        default = list(one.default) if isinstance(one.default, tuple) else one.default
        lines.append(f"| `FASTACT_{one.name.upper()}` | `{default!r}` | {one.metadata['meaning']} |")
    return "\n".join(lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


def _check(name: str, value: object, right: bool, words: str) -> None:
    if not right:
        raise InputError(f"FASTACT_{name.upper()} is {value!r}, and has to be {words}")


if __name__ == "__main__":
    print(table())
