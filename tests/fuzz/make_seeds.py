"""Makes tests/fuzz/seeds anew with the TensorFlow that is installed: `python tests/fuzz/make_seeds.py`.

What only TensorFlow writes: configurations of every layer as both Keras write them, one a line, and small files of the
formats that come from its own converters. The rest of the corpus is written by `corpus.py` when it is wanted.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
sys.path.insert(0, str(Path(__file__).parents[1]))

from cases import CASES, KERAS2, KERAS3, graph
from fuzz.targets import join
from tflite_models import converted, shaken

SEEDS = Path(__file__).with_name("seeds")

_UNREAD = ("initializer", "regularizer", "constraint", "build_config", "compile_config", "registered_name", "trainable")
_LONGEST = 2000


def stripped(value: Any) -> Any:
    """A configuration without most of what fastact never looks at, so that mutations hit what it does."""
    if isinstance(value, list):
        return [stripped(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: stripped(one) for key, one in value.items() if not any(word in key for word in _UNREAD)}
    if kept == {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}:
        return "float32"
    if kept.get("dtype") == "float32":
        del kept["dtype"]
    if str(kept.get("module", "")).startswith("keras.layers"):
        del kept["module"]
    return kept


def traits(value: Any, keras: str, class_name: str = "") -> Iterator[tuple[str, ...]]:
    """What a configuration says that another may not: entries as each Keras spells them, and the kinds of values."""
    if isinstance(value, list):
        yield class_name, "a list of", str(len(value))
        for one in value:
            yield from traits(one, keras, class_name)
    elif isinstance(value, dict):
        class_name = str(value.get("class_name", class_name))
        for key, one in value.items():
            yield keras, class_name, key
            if key != "name" and isinstance(one, str | bool | None):
                yield class_name, key, repr(one)
            yield from traits(one, keras, class_name)


def configurations() -> list[Any]:
    """Of all rows in tests/cases, from the shortest on, those that say something new."""
    written = []
    for keras in (KERAS3, KERAS2):
        namespace = importlib.import_module(keras)
        for case in CASES:
            if keras in case.keras:
                written.append((keras, stripped(json.loads(case.make(namespace).to_json()))))
                namespace.backend.clear_session()  # names count from the start again
    seen: set[tuple[str, ...]] = set()
    kept = []
    for keras, config in sorted(written, key=lambda pair: len(json.dumps(pair[1]))):
        new = set(traits(config, keras)) - seen
        if new and len(json.dumps(config)) < _LONGEST:
            seen |= new
            kept.append(config)
    return kept


def eyes(k: Any, image: Any) -> Any:
    """Convolutions of all kinds."""
    y = k.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    y = k.layers.BatchNormalization()(k.layers.DepthwiseConv2D(3)(k.layers.ZeroPadding2D(1)(y)))
    y = k.layers.Conv2DTranspose(3, 2, strides=2)(k.layers.UpSampling2D(2, interpolation="bilinear")(y))
    y = k.layers.Concatenate()([y, k.layers.MaxPooling2D(2, 1, "same")(y)])
    return k.layers.Dense(2, activation="softmax")(k.layers.Flatten()(y))


def memory(k: Any, run: Any) -> Any:
    """A run of pictures, and a vector that stays."""
    y = k.layers.TimeDistributed(k.layers.Conv2D(2, 3, activation="relu"))(run)
    y = k.layers.TimeDistributed(k.layers.GlobalAveragePooling2D())(y)
    return k.layers.Dense(1)(k.layers.LSTM(3)(y))


def sums(k: Any, left: Any, right: Any) -> Any:
    """Two inputs and arithmetic."""
    y = k.layers.Multiply()([k.layers.Add()([left, right]), k.layers.Maximum()([left, right])])
    return [k.layers.LeakyReLU()(k.layers.Conv2D(2, (1, 3), dilation_rate=2)(y)), k.layers.PReLU()(y)]


def forms(k: Any, image: Any) -> Any:
    """What converters spell in several operators: dilation, normalisation, resizing, gates, unrolled steps."""
    y = k.layers.Conv2D(3, 3, dilation_rate=2, padding="same", activation="elu")(image)
    y = k.layers.LayerNormalization()(k.layers.SeparableConv2D(4, 3, activation="swish")(y))
    y = k.layers.Cropping2D(1)(k.layers.Resizing(9, 9)(k.layers.UpSampling2D(2)(y)))
    y = k.layers.Average()([y, k.layers.Activation("gelu")(y), k.layers.Activation("hard_sigmoid")(y)])
    y = k.layers.Subtract()([y, k.layers.GlobalAveragePooling2D(keepdims=True)(y)])
    y = k.layers.Reshape((7, 28))(k.layers.Permute((2, 1, 3))(y))
    y = k.layers.Conv1D(4, 3, padding="causal", activation="softplus")(y)
    y = k.layers.SimpleRNN(3, return_sequences=True, unroll=True)(y)
    return k.layers.Dense(2)(k.layers.GRU(3, unroll=True)(k.layers.UnitNormalization()(y)))


def steps(k: Any) -> Any:
    """Recurrent layers for a batch of one: of Keras 2 one operator, and loops without TensorFlow's lists."""
    y = run = k.layers.Input(batch_shape=(1, 3, 2), name="run")
    y = k.layers.GRU(3, return_sequences=True)(k.layers.LSTM(2, return_sequences=True)(y))
    return k.Model(run, k.layers.SimpleRNN(4, go_backwards=True)(y))


MODELS = (
    graph("eyes", ((8, 8, 2),), eyes),
    graph("memory", ((2, 5, 5, 1),), memory),
    graph("sums", ((5, 7, 2),) * 2, sums),
)
FORMS = graph("forms", ((8, 8, 2),), forms)


def main() -> None:
    SEEDS.mkdir(exist_ok=True)
    lines = [json.dumps(config, separators=(",", ":"), sort_keys=True) for config in configurations()]
    (SEEDS / "configurations.jsonl").write_text("\n".join(lines) + "\n")
    keras3, keras2 = importlib.import_module(KERAS3), importlib.import_module(KERAS2)
    for case in MODELS:
        how = "select" if case.id == "memory" else "float32"
        (SEEDS / f"{case.id}.tflite").write_bytes(converted(shaken(case.make(keras3)), how))
        shaken(case.make(keras3)).save(SEEDS / f"{case.id}.keras")
        with tempfile.TemporaryDirectory() as folder:
            shaken(case.make(keras2)).save(folder, save_format="tf", include_optimizer=False)
            (Path(folder) / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")  # graphs, which are never read
            files = {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}
        (SEEDS / f"{case.id}.parts").write_bytes(join({n: d for n, d in files.items() if n != "fingerprint.pb"}))
    (SEEDS / "forms.tflite").write_bytes(converted(shaken(FORMS.make(keras3))))
    (SEEDS / "steps.tflite").write_bytes(converted(shaken(steps(keras2))))
    (SEEDS / "half.tflite").write_bytes(converted(shaken(MODELS[0].make(keras3)), "float16"))


if __name__ == "__main__":
    main()
