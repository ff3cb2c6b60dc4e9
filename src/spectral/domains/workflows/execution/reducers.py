"""How what a node writes joins what is there: one function per reducer."""

from collections.abc import Callable, Mapping
from typing import Any

from spectral.domains.workflows.definitions.expressions import ExpressionError, Scope, evaluate
from spectral.domains.workflows.execution.state import State


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _union(old: Any, new: Any) -> list[Any]:
    kept: list[Any] = []
    for one in [*_as_list(old), *_as_list(new)]:
        if one not in kept:
            kept.append(one)
    return kept


def _merge(old: Any, new: Any) -> dict[str, Any]:
    if not isinstance(new, Mapping) or not isinstance(old or {}, Mapping):
        raise ExpressionError("merge needs objects on both sides")
    return {**(old or {}), **new}


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"{value!r} is no number")
    return value


REDUCERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "replace": lambda _old, new: new,
    "append": lambda old, new: [*_as_list(old), new],
    "extend": lambda old, new: [*_as_list(old), *_as_list(new)],
    "merge": _merge,
    "sum": lambda old, new: _number(0 if old is None else old) + _number(new),
    "max": lambda old, new: _number(new) if old is None else max(_number(old), _number(new)),
    "min": lambda old, new: _number(new) if old is None else min(_number(old), _number(new)),
    "union": _union,
}


def write_into(state: State, reducers: Mapping[str, str], writes: Mapping[str, str], scope: Scope) -> None:
    """Join the value of each expression into the state at its path, all of them or none.

    writes: `context.total` → an expression. Raises ExpressionError, also where a path leads through what is no object.
    """
    values = {path: evaluate(expression, scope) for path, expression in writes.items()}
    sections = {name: state.document[name] for name in ("context", "artifacts")}
    for path, value in values.items():
        section, *rest = path.split(".")
        sections[section] = _written(sections[section], rest, value, REDUCERS[reducers.get(path, "replace")], path)
    state.document.update(sections)


def _written(old: Any, path: list[str], value: Any, reduce: Callable[[Any, Any], Any], whole: str) -> Any:
    if not path:
        return reduce(old, value)
    if old is not None and not isinstance(old, Mapping):
        raise ExpressionError(f"{whole} leads through a value that is no object")
    before = dict(old or {})
    before[path[0]] = _written(before.get(path[0]), path[1:], value, reduce, whole)
    return before
