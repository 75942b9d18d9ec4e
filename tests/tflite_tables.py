"""The tables of a small TensorFlow Lite file, to be changed."""

from __future__ import annotations

from typing import Any

from fastact.files import tflite_schema as schema

Table = dict[int, Any]


def graph_of(model: Table) -> Table:
    graph: Table = model[schema.Model.SUBGRAPHS][0]
    return graph


def tensors_of(model: Table) -> list[Table]:
    tensors: list[Table] = graph_of(model)[schema.SubGraph.TENSORS]
    return tensors


def operators_of(model: Table) -> list[Table]:
    operators: list[Table] = graph_of(model)[schema.SubGraph.OPERATORS]
    return operators
