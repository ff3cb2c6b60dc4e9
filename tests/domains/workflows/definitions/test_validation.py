"""What a definition refers to must be there, and be done by then."""

from typing import Any

import pytest

from spectral.domains.workflows.definitions.compiling import compile_document
from spectral.domains.workflows.definitions.validation import Known


def workflow(name: str, *subflows: str) -> str:
    steps = "".join(f"  - {{id: s{n}, kind: subflow, workflow: {one}}}\n" for n, one in enumerate(subflows))
    return f"name: {name}\nsteps:\n" + (steps or "  - {id: a, kind: sleep, seconds: 1}\n")


def known_workflows(*sources: str) -> dict[str, Any]:
    found = {}
    for source in sources:
        definition = compile_document(source, None).definition
        assert definition is not None
        found[definition.name] = definition
    return found


def errors_of(source: str, known: Known | None = None) -> list[tuple[int, int, str]]:
    return [(found.line, found.column, found.code) for found in compile_document(source, None, known).errors]


def messages_of(source: str, known: Known | None = None) -> str:
    return "\n".join(found.message for found in compile_document(source, None, known).errors)


BODIES = """name: scopes
inputs: {who: string}
steps:
  - {id: before, kind: map, mapping: {v: 1}}
  - id: each
    kind: foreach
    items: ${steps.before.outputs}
    as: one
    body:
      - {id: inner, kind: map, mapping: {v: "%(inner)s"}}
      - {id: second, kind: map, mapping: {v: "%(second)s"}}
  - id: both
    kind: all
    branches:
      left: [{id: left, kind: map, mapping: {v: "%(left)s"}}]
      right: [{id: right, kind: map, mapping: {v: 1}}]
  - {id: after, kind: map, mapping: {v: "%(after)s"}, outputs: {v: "%(mapped)s"}}
outputs: {v: "%(outputs)s"}
"""


@pytest.mark.parametrize(
    ("place", "expression", "code"),
    [
        ("inner", "steps.before.outputs.v + one + item + index", None),
        ("inner", "steps.each.outputs", "not-upstream"),
        ("inner", "steps.second.outputs", "not-upstream"),
        ("inner", "steps.after.outputs", "not-upstream"),
        ("inner", "steps.beforr.outputs", "unknown-step"),
        ("inner", "steps.before.v", "unknown-name"),
        ("inner", "inputs.whom", "unknown-input"),
        ("inner", "output.v", "unknown-name"),
        ("inner", "context.x.y == artifacts.z or errors[0].node == run.id or iteration > 1 or input.q", None),
        ("second", "steps.inner.outputs.v", None),
        ("left", "steps.right.outputs", "not-upstream"),
        ("left", "steps.inner.outputs", "not-upstream"),
        ("left", "item", "unknown-name"),
        ("left", "steps.each.outputs.results[0].v", None),
        ("after", "steps.left.outputs", "not-upstream"),
        ("after", "steps.after.outputs", "not-upstream"),
        ("after", "who", "unknown-name"),
        ("after", "answer.data", "unknown-name"),
        ("mapped", "output.v + steps.after.outputs.v", None),
        ("outputs", "steps.after.outputs.v + steps.both.outputs.left.v", None),
        ("outputs", "steps.left.outputs.v", "not-upstream"),
        ("outputs", "secrets.KEY", "unknown-secret"),
        ("outputs", "secrets.KNOWN", None),
    ],
)  # fmt: skip
def test_what_an_expression_can_see(place: str, expression: str, code: str | None) -> None:
    places = dict.fromkeys(("inner", "second", "left", "after", "mapped", "outputs"), "1")
    source = BODIES % (places | {place: f"${{{expression}}}"})
    found = compile_document(source, None, Known(secrets=["KNOWN"])).errors
    assert [error.code for error in found] == ([] if code is None else [code]), found
    for error in found:
        # At the name itself.
        root = expression.partition(".")[0]
        assert source.splitlines()[error.line - 1][error.column - 1 :].startswith(root)


def test_a_loopback_lets_earlier_steps_see_later_ones() -> None:
    nodes = (
        "  - {id: a, kind: map, mapping: {v: '${steps.b.outputs.v}'}}\n"
        "  - {id: b, kind: map, mapping: {v: 1}, needs: [a]}\n"
    )
    assert errors_of(f"name: x\nnodes:\n{nodes}") == [(3, 40, "not-upstream")]
    assert errors_of(f"name: x\nnodes:\n{nodes}edges:\n  - {{from: b, to: a, loopback: true}}\n") == []


def test_circles_are_told_where_they_close() -> None:
    source = """name: x
nodes:
  - {id: a, kind: sleep, seconds: 1, needs: [c]}
  - {id: b, kind: sleep, seconds: 1, needs: [a]}
  - {id: c, kind: sleep, seconds: 1, needs: [b]}
  - {id: d, kind: sleep, seconds: 1, needs: [c]}
  - {id: e, kind: sleep, seconds: 1}
  - {id: f, kind: sleep, seconds: 1, needs: f}
"""
    assert errors_of(source) == [(3, 46, "cycle"), (8, 45, "cycle")]
    assert "a → b → c → a; is a loopback meant?" in messages_of(source)


def test_unreachable_steps() -> None:
    source = """name: x
nodes:
  - {id: a, kind: sleep, seconds: 1}
  - {id: b, kind: sleep, seconds: 1}
  - {id: c, kind: sleep, seconds: 1}
  - {id: d, kind: sleep, seconds: 1, needs: [c]}
  - {id: again, kind: sleep, seconds: 1}
edges:
  - {from: a, to: b}
  - {from: a, to: c, condition: false}
  - {from: b, to: again, loopback: true}
  - {from: b, to: a, loopback: true, condition: steps.a.iteration < 3}
"""
    assert errors_of(source) == [(5, 10, "unreachable"), (6, 10, "unreachable"), (7, 10, "unreachable")]


def test_names_of_the_workspace() -> None:
    source = """name: names
evaluation: {rubric: tone}
steps:
  - {id: a, kind: agent, agent: suport}
  - {id: b, kind: task, function: spectral.uid}
  - {id: c, kind: subflow, workflow: greting}
  - {id: d, kind: subflow, workflow: greeting, version: 3}
  - {id: e, kind: remote, agent: suport}
  - {id: f, kind: http, url: "https://x.test/${secrets.KEI}"}
  - {id: g, kind: agent, agent: "${inputs.any}"}
"""
    known = Known(
        agents={"support"},
        tasks={"spectral.uuid", "spectral.pass"},
        secrets={"KEY"},
        rubrics={"tones": "1"},
        workflows=known_workflows(workflow("greeting")),
        versions={"greeting": 2},
    )
    assert errors_of(source, known) == [
        (2, 22, "unknown-rubric"),
        (4, 33, "unknown-agent"),
        (5, 35, "unknown-task"),
        (6, 38, "unknown-workflow"),
        (7, 57, "unknown-workflow"),
        (8, 34, "unknown-agent"),
        (9, 48, "unknown-secret"),
    ]
    told = messages_of(source, known)
    for name in ("support", "spectral.uuid", "greeting", "KEY", "tones"):
        assert f"did you mean `{name}`?" in told
    # Where nothing is known, names are not looked at.
    assert errors_of(source) == []


def test_a_rubric_is_kept_by_its_id() -> None:
    source = "name: x\nevaluation: {rubric: tone, version: 2}\nsteps: [{id: a, kind: sleep, seconds: 1}]"
    definition = compile_document(source, None, Known(rubrics={"tone": "0191"})).definition
    assert definition is not None
    assert definition.evaluation is not None
    assert (definition.evaluation.rubric_id, definition.evaluation.rubric_version) == ("0191", 2)


def test_recursion_is_found_through_others() -> None:
    known = Known(workflows=known_workflows(workflow("b", "c"), workflow("c", "d", "a"), workflow("d")))
    assert errors_of(workflow("a", "d", "b"), known) == [(4, 39, "recursive-workflow")]
    assert "a → b → c → a" in messages_of(workflow("a", "b"), known)
    assert errors_of(workflow("a", "a")) == [(3, 39, "recursive-workflow")]
    assert errors_of(workflow("e", "b"), Known(workflows=known.workflows)) == []


def test_warnings() -> None:
    source = """name: warned
inputs: {used: string, unused: string}
steps:
  - {id: fetch, kind: http, url: "https://x.test/${inputs.used}"}
  - {id: thought, kind: prompt, model: m, prompt: "${steps.fetch.outputs.body}"}
  - {id: wait, kind: wait_event, event: go}
  - {id: ask, kind: interrupt, title: Sure?, timeout: 1d, interrupt_after: Really?}
"""
    result = compile_document(source, None)
    assert result.definition is not None
    assert [(found.line, found.column, found.code) for found in result.warnings] == [
        (2, 24, "unused-input"),
        (5, 10, "unused-outputs"),
        (6, 10, "no-timeout"),
        (7, 59, "no-timeout"),
    ]
