"""Which stored weight is whose: every convention that Keras has had, and the cases that must not be guessed."""

from __future__ import annotations

import pytest

from fastact.files.names import MatchError, assign, parse

CONV = ("kernel", "bias")
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def under(prefix: str, leaves: tuple[str, ...] = CONV, end: str = ":0") -> list[str]:
    return [f"{prefix}/{leaf}{end}" if prefix else leaf for leaf in leaves]


def matched(
    wanted: dict[tuple[str, ...], tuple[str, ...]], stored: list[str], known: set[str] | None = None, model: str = "m"
) -> dict[tuple[str, ...], list[str]]:
    names = known if known is not None else {path[-1] for path in wanted}
    found = assign(wanted, [parse(name) for name in stored], names, model)
    return {path: [found[path][leaf].name for leaf in leaves] for path, leaves in wanted.items()}


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        pytest.param(("c",), under("c"), id="Keras 2"),
        pytest.param(("c",), under("c", end=""), id="Keras 3 functional"),
        pytest.param(("c",), under(""), id="Keras 3.0 to 3.2"),
        pytest.param(("c",), under("m/c", end=""), id="Keras 3 Sequential"),
        pytest.param(("c",), under("c_1_1"), id="TensorFlow 1, scope made unique"),
        pytest.param(("c",), ["c/kernel_1:0", "c/bias_1:0"], id="TensorFlow 1, weight made unique"),
        pytest.param(("c",), under("old"), id="renamed layer"),
        pytest.param(("c",), under("scope/c"), id="name scope"),
        pytest.param(("td",), under("td"), id="TimeDistributed, Keras 2"),
        pytest.param(("td",), under("td/conv2d", end=""), id="TimeDistributed, Keras 3"),
        pytest.param(("a/b",), under("a/b"), id="slash"),
        pytest.param(("x y.z",), under("x y.z", end=""), id="blank and dot"),
        pytest.param(("größe",), under("größe", end=""), id="not ASCII"),
        pytest.param(("kernel",), under("kernel"), id="a layer called kernel"),
        pytest.param(("t", "c"), under("c"), id="nested functional"),
        pytest.param(("t", "c"), under("t/c", end=""), id="nested Sequential"),
        pytest.param(("t", "c"), under("m/t/c", end=""), id="Sequential in Sequential"),
        pytest.param(("t", "u", "c"), under("u/c", end=""), id="Sequential in functional, twice nested"),
        pytest.param(("t", "c"), under("elsewhere/c"), id="nested, first built elsewhere"),
        pytest.param(("t", "c"), under("c_2"), id="nested, scope made unique"),
        pytest.param(("t", "c"), under("c/conv2d", end=""), id="nested TimeDistributed, Keras 3"),
        pytest.param(("t", "c"), under(""), id="nested, Keras 3.0 to 3.2"),
        pytest.param(("t", "t"), under("t"), id="nested, same name as its model"),
    ],
)
def test_one_layer(path: tuple[str, ...], stored: list[str]) -> None:
    assert matched({path: CONV}, stored) == {path: stored}


RECURRENT = ("kernel", "recurrent_kernel", "bias")
WAYS = tuple(f"{way}/{leaf}" for way in ("forward", "backward") for leaf in RECURRENT)


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        pytest.param(("r",), under("r/lstm_cell", RECURRENT), id="Keras 2"),
        pytest.param(("r",), under("r", RECURRENT), id="Keras 2.0"),
        pytest.param(("r",), under("r/lstm_cell_7", RECURRENT), id="cell made unique"),
        pytest.param(("r",), under("m/r/gru_cell", RECURRENT, ""), id="Keras 3 Sequential"),
        pytest.param(("td",), under("td/r/lstm_cell", RECURRENT, ""), id="TimeDistributed, Keras 3"),
        pytest.param(("t", "r"), under("r/lstm_cell", RECURRENT), id="nested"),
        pytest.param(("t", "r"), under("t/r/lstm_cell", RECURRENT, ""), id="nested Sequential"),
        pytest.param(("td", "c"), under("c"), id="in a model in TimeDistributed"),
    ],
)
def test_weights_of_a_cell_are_the_layers(path: tuple[str, ...], stored: list[str]) -> None:
    leaves = RECURRENT if len(stored) == 3 else CONV
    assert matched({path: leaves}, stored) == {path: stored}


@pytest.mark.parametrize("above", ["", "m/", "t/"])
@pytest.mark.parametrize("name", ["b", "forward_b", "backward_forward_b"])
@pytest.mark.parametrize("cell", ["", "/lstm_cell"])
def test_two_directions(above: str, name: str, cell: str) -> None:
    ways = [under(f"{above}{name}/{way}_lstm{cell}", RECURRENT) for way in ("forward", "backward")]
    for path in ((name,), ("t", name)):
        assert matched({path: WAYS}, [*ways[1], *ways[0]]) == {path: [*ways[0], *ways[1]]}


def test_two_directions_in_a_nested_model_beside_another() -> None:
    stored = [
        name for b in ("b", "b_1") for way in ("forward", "backward") for name in under(f"{b}/{way}_r", RECURRENT)
    ]
    wanted = {("t", "b_1"): WAYS, ("t", "b"): WAYS}
    assert matched(wanted, stored) == {("t", "b_1"): stored[6:], ("t", "b"): stored[:6]}


def test_layers_within_a_layer_by_their_names() -> None:
    back = [*under("b/forward_gru", RECURRENT), *under("b/gru_1", RECURRENT)]
    cells = [*under("r/cells/y", RECURRENT), *under("r/cells/x", RECURRENT)]
    inner = {"b": {"backward": "gru_1"}, "r": {"0": "x", "1": "y"}}
    numbers = tuple(f"{number}/{leaf}" for number in (0, 1) for leaf in RECURRENT)
    for path, leaves, stored, expected in (
        (("b",), WAYS, back, back),
        (("r",), numbers, cells, [*cells[3:], *cells[:3]]),
    ):
        found = assign({path: leaves}, [parse(name) for name in stored], [path[0]], "m", inner)
        assert [found[path][leaf].name for leaf in leaves] == expected
        with pytest.raises(MatchError, match="should have the weights"):
            assign({path: leaves}, [parse(name) for name in stored], [path[0]], "m")


def test_one_direction_of_two_is_missing() -> None:
    with pytest.raises(MatchError, match="should have the weights 'forward/kernel'"):
        matched({("b",): WAYS}, under("b/forward_lstm/lstm_cell", RECURRENT))


def test_leaves_are_whole_names() -> None:
    stored = ["s/depthwise_kernel:0", "s/pointwise_kernel:0", "s/kernel:0"]
    assert matched({("s",): ("kernel", "pointwise_kernel")}, stored) == {("s",): [stored[2], stored[1]]}
    with pytest.raises(MatchError, match=r"layer 's' should have the weights 'kernel'"):
        matched({("s",): ("kernel",)}, stored[:2])


def test_order_does_not_matter() -> None:
    """A frozen layer's weights come after those that are trained."""
    stored = ["b/gamma:0", "b/beta:0", "d/kernel:0", "d/bias:0", "c/kernel:0", "c/bias:0"]
    stored += ["b/moving_mean:0", "b/moving_variance:0"]
    found = matched({("t", "c"): CONV, ("t", "b"): NORM, ("t", "d"): CONV}, stored)
    assert found[("t", "c")] == under("c")
    assert found[("t", "b")] == under("b", NORM)
    assert found[("t", "d")] == under("d")


def test_layers_of_the_same_name_at_two_depths() -> None:
    wanted = {("mid", "a", "c"): CONV, ("mid", "c"): CONV}
    stored = [*under("c"), *under("a/c")]
    assert matched(wanted, stored) == {("mid", "a", "c"): under("a/c"), ("mid", "c"): under("c")}
    assert matched({("mid", "c"): CONV}, stored, {"a", "c"}) == {("mid", "c"): under("c")}
    assert matched({("mid", "a", "c"): CONV}, stored, {"a", "c"}) == {("mid", "a", "c"): under("a/c")}


def test_names_with_slashes_beside_their_endings() -> None:
    stored = [*under("p/c"), *under("c")]
    wanted = {("tower/p", "c"): CONV, ("tower/p", "p/c"): CONV}
    assert matched(wanted, stored) == {("tower/p", "c"): under("c"), ("tower/p", "p/c"): under("p/c")}
    only = {("tower/p", "c"): CONV}
    assert matched(only, stored, {"c", "p/c"}) == {("tower/p", "c"): under("c")}


def test_names_that_end_alike_are_told_apart() -> None:
    stored = [*under("xc"), *under("c"), *under("c_1")]
    found = matched({("t", "c"): CONV, ("t", "xc"): CONV, ("t", "c_1"): CONV}, stored)
    assert found == {("t", "c"): under("c"), ("t", "xc"): under("xc"), ("t", "c_1"): under("c_1")}


def test_two_layers_of_a_bare_group_share_no_weight() -> None:
    stored = ["kernel", "bias", "gamma", "beta"]
    found = matched({("t", "c"): CONV, ("t", "b"): ("gamma", "beta")}, stored)
    assert found == {("t", "c"): ["kernel", "bias"], ("t", "b"): ["gamma", "beta"]}
    with pytest.raises(MatchError, match=r"'kernel' could belong to layer 't/c' and to layer 't/d'"):
        matched({("t", "c"): CONV, ("t", "d"): ("kernel",)}, stored)


@pytest.mark.parametrize(
    ("wanted", "stored", "known"),
    [
        pytest.param({("t", "c"): CONV}, [*under("x/c"), *under("y/c")], {"c"}, id="two unknown scopes"),
        pytest.param({("t", "c"): CONV}, [*under("c_1"), *under("c_2")], {"c"}, id="two numbers"),
        pytest.param(
            {("t", "c"): CONV, ("t", "c_1"): CONV}, [*under("c_1"), *under("c_1_1")], {"c", "c_1"}, id="both renamed"
        ),
        pytest.param({("t", "c_1"): CONV}, [*under("c_1"), *under("c_1_1")], {"c", "c_1"}, id="one of them wanted"),
        pytest.param({("t", "c"): CONV, ("t", "u", "c"): CONV}, under("c"), {"c", "u"}, id="one for two layers"),
        pytest.param({("b",): CONV}, [*under("b/forward"), *under("b/backward")], {"b"}, id="Bidirectional"),
    ],
)
def test_ambiguity_is_an_error(
    wanted: dict[tuple[str, ...], tuple[str, ...]], stored: list[str], known: set[str]
) -> None:
    with pytest.raises(MatchError, match="is ambiguous"):
        matched(wanted, stored, known)


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        pytest.param(("c",), under("c")[:1], id="bias missing"),
        pytest.param(("c",), ["c/kernel:0", "d/bias:0"], id="under two prefixes"),
        pytest.param(("c",), ["c/kernel:0", "c/kernel:1", "c/bias:0"], id="two kernels"),
        pytest.param(("c",), ["c/kernel_1:0", "c/kernel_2:0", "c/bias:0"], id="two renamed kernels"),
        pytest.param(("t", "c"), under("d"), id="another layer"),
        pytest.param(("t", "c"), under("cc"), id="a longer name"),
        pytest.param(("t", "c"), under("c_x"), id="not a number"),
        pytest.param(("t", "conv2d"), under("conv2"), id="a shorter name"),
        pytest.param(("t", "c"), under("p/c"), id="the name of another layer, p/c"),
        pytest.param(("t", "c"), [], id="nothing stored"),
    ],
)
def test_missing_weights_are_an_error(path: tuple[str, ...], stored: list[str]) -> None:
    with pytest.raises(MatchError, match=r"should have the weights 'kernel', 'bias' and the file stores"):
        matched({path: CONV}, stored, {"p/c", path[-1]})


def test_many_layers_take_no_longer_than_they_must() -> None:
    """A pretrained network nested as one layer has hundreds of layers; here ten thousand."""
    paths = [("base", f"conv_{number}") for number in range(10_000)]
    stored = [name for path in paths for name in under(path[1])]
    found = matched(dict.fromkeys(paths, CONV), stored)
    assert all(found[path] == under(path[1]) for path in paths)
