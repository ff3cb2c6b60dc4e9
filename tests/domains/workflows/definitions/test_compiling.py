"""Documents become definitions, or all of their mistakes at once, each at its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.workflows.definitions.compiling import compile_document
from spectral.domains.workflows.definitions.model import (
    Backoff,
    Budget,
    Definition,
    Edge,
    FailurePolicy,
    Join,
    NodeKind,
    Question,
    Retries,
)


def compiled(source: str, **options: Any) -> Definition:
    result = compile_document(source, None, **options)
    assert result.definition is not None, result.errors
    # Versions keep the document, and runs read it back.
    stored = json.loads(json.dumps(result.definition.to_document()))
    assert Definition.from_document(stored) == result.definition
    return result.definition


def step(text: str, **more: str) -> str:
    """A document of one step."""
    return f"name: one\nsteps:\n  - {text}\n" + "".join(f"{name}: {value}\n" for name, value in more.items())


def test_everything_of_a_workflow() -> None:
    definition = compiled("""
name: all-of-it
description: Has everything
inputs:
  text: string
  count: {type: integer, default: 3, minimum: 1}
  tags: {type: array, required: false}
  any: any
outputs: {result: "${steps.last.outputs}"}
outputs_schema: {result: object}
max_concurrency: 4
default_timeout: 90s
max_node_iterations: 7
failure_policy: skip_dependents
budget: {max_tokens: 1000, max_cost_usd: 0.25}
state: {reducers: {context.total: sum, artifacts.pages: append}}
memory: shared
steps:
  - id: first
    type: task
    name: First of all
    description: Begins
    function: spectral.pass
    when: inputs.count > 1
    inputs: {a: "${inputs.text}"}
    outputs: {b: "${output.a}"}
    writes: {context.total: "${inputs.count}"}
    retries: {limit: 3, delay: 250ms, backoff: linear, max_delay: 1m}
    timeout: 1h30m
    interrupt_before: true
    interrupt_after: {title: "Go on with ${output.b}?", timeout: 5m, on_timeout: approve}
    on_error: continue
    tools: [files.*]
  - {id: beside, kind: sleep, seconds: 2s, needs: []}
  - {id: last, kind: map, mapping: {n: "${steps.first.outputs.b}"}, needs: [first, beside], join: any, retries: 2}
edges:
  - {from: last, to: first, loopback: true, condition: "steps.last.iteration < 3"}
  - {from: first, to: last, condition: "${output.b != null}"}
""")
    assert definition.inputs == {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "count": {"type": "integer", "default": 3, "minimum": 1},
            "tags": {"type": "array"},
            "any": {},
        },
        "required": ["text", "any"],
        "additionalProperties": False,
    }
    assert definition.budget == Budget(1000, 250_000_000)
    assert (definition.max_concurrency, definition.default_timeout_s, definition.max_node_iterations) == (4, 90.0, 7)
    assert (definition.failure_policy, definition.memory) == (FailurePolicy.SKIP_DEPENDENTS, "shared")
    assert definition.reducers == {"context.total": "sum", "artifacts.pages": "append"}
    first, beside, last = definition.graph.nodes
    assert first.retries == Retries(3, 0.25, Backoff.LINEAR, 60.0)
    assert (first.label, first.timeout_s, first.on_error) == ("First of all", 5400.0, FailurePolicy.CONTINUE)
    assert first.interrupt_before == Question("Run First of all?")
    assert first.interrupt_after == Question("Go on with ${output.b}?", None, 300.0, "approve")
    assert (first.tools, beside.params, last.join, last.retries.limit) == (("files.*",), {"seconds": 2.0}, Join.ANY, 2)
    assert set(definition.graph.edges) == {
        Edge("beside", "last"),
        Edge("first", "last", "${output.b != null}"),
        Edge("last", "first", "steps.last.iteration < 3", is_loopback=True),
    }


def test_steps_follow_each_other_and_nodes_do_not() -> None:
    steps = "[{id: a, kind: sleep, seconds: 1}, {id: b, kind: sleep, seconds: 1}, {id: c, kind: sleep, seconds: 1}]"
    assert compiled(f"name: x\nsteps: {steps}").graph.edges == (Edge("a", "b"), Edge("b", "c"))
    assert compiled(f"name: x\nnodes: {steps}").graph.edges == ()


def test_json_and_yaml_mean_the_same() -> None:
    document = {"name": "x", "steps": [{"id": "a", "kind": "http", "url": "https://x.test", "timeout": "5s"}]}
    yaml = "name: x\nsteps:\n  - {id: a, kind: http, url: https://x.test, timeout: 5s}\n"
    assert compiled(json.dumps(document)) == compiled(yaml)


def test_the_name_may_come_from_outside() -> None:
    assert compiled("steps: [{id: a, kind: sleep, seconds: 1}]", name="given").name == "given"
    (error,) = compile_document("name: x\nsteps: [{id: a, kind: sleep, seconds: 1}]", None, name="given").errors
    assert (error.code, error.line, error.column) == ("name-mismatch", 1, 7)


def test_params_of_waits_are_theirs() -> None:
    body = """name: waits
steps:
  - {id: w, kind: wait_event, event: paid, timeout: 5m, on_timeout: continue, schema: {type: object}}
  - {id: i, kind: interrupt, title: Really?, timeout: 1d, on_timeout: reject}
  - {id: s, kind: subflow, workflow: other, version: 2, inputs: {a: 1}, timeout: 10}
  - {id: r, kind: remote, queue: gpu, task: train, lease: 1m, max_attempts: 3, timeout: 2h}
  - {id: u, kind: sleep_until, until: "2030-01-01T00:00:00Z"}
"""
    wait, interrupt, subflow, remote, until = compiled(body).graph.nodes
    assert wait.params == {
        "event": "paid",
        "timeout_s": 300.0,
        "on_timeout": "continue",
        "schema": {"type": "object"},
    }
    assert (wait.timeout_s, interrupt.params["timeout_s"], interrupt.params["on_timeout"]) == (None, 86_400.0, "reject")
    assert (subflow.params, subflow.inputs) == ({"workflow": "other", "version": 2, "timeout_s": 10.0}, {"a": 1})
    assert remote.params == {"queue": "gpu", "task": "train", "lease_s": 60.0, "max_attempts": 3}
    assert (remote.timeout_s, until.kind) == (7200.0, NodeKind.SLEEP)
    assert until.params == {"until": "2030-01-01T00:00:00Z"}


def test_branch_tap_and_map_become_other_kinds() -> None:
    definition = compiled("""name: sugar
steps:
  - id: choose
    kind: branch
    cases:
      - {condition: input.n > 2, body: [{id: many, kind: map, mapping: {v: many}}]}
      - {condition: input.n > 1, body: [{id: few, kind: map, mapping: {v: few}}]}
    else: [{id: none, kind: map, mapping: {v: none}}]
  - id: note
    kind: tap
    body: [{id: log, kind: task, function: spectral.log}]
""")
    choose, note = definition.graph.nodes
    assert (choose.kind, choose.params) == (NodeKind.WHEN, {"condition": "input.n > 2"})
    (second,) = choose.bodies["else"].nodes
    assert (second.id, second.kind, second.params) == ("choose-2", NodeKind.WHEN, {"condition": "input.n > 1"})
    assert [node.id for name in ("body", "else") for node in second.bodies[name].nodes] == ["few", "none"]
    many = choose.bodies["body"].nodes[0]
    assert (many.kind, many.params, many.inputs) == (NodeKind.TASK, {"function": "spectral.pass"}, {"v": "many"})
    assert (note.kind, note.outputs, note.on_error) == (NodeKind.WHEN, "${input}", None)
    (held,) = note.bodies["body"].nodes
    assert (held.on_error, held.bodies["body"].nodes[0].id) == (FailurePolicy.CONTINUE, "log")


def test_bodies_may_be_whole_graphs() -> None:
    definition = compiled("""name: bodies
steps:
  - id: both
    kind: all
    branches:
      left: [{id: a, kind: sleep, seconds: 1}]
      right:
        nodes: [{id: b, kind: sleep, seconds: 1}, {id: c, kind: sleep, seconds: 1}]
        edges: [{from: b, to: c}]
        result: ${steps.b.outputs}
  - id: again
    kind: loop
    do_until: steps.try.outputs.ok or iteration > 3 or output.ok
    delay: 5s
    body: [{id: try, kind: http, url: https://x.test}]
  - {id: thrice, kind: loop, max_iterations: 3, body: [{id: beat, kind: sleep, seconds: 1}]}
  - id: each
    kind: foreach
    items: ["${inputs.a}", 2]
    as: thing
    body: [{id: say, kind: prompt, model: m, prompt: "${thing} ${item} ${index}"}]
""")
    both, again, thrice, each = definition.graph.nodes
    assert both.bodies["right"].result == "${steps.b.outputs}"
    assert both.bodies["right"].edges == (Edge("b", "c"),)
    assert again.params == {
        "do_until": "steps.try.outputs.ok or iteration > 3 or output.ok",
        "delay_s": 5.0,
        "max_iterations": 100,
    }
    assert thrice.params == {"do_while": "true", "max_iterations": 3}
    assert each.params == {"items": ["${inputs.a}", 2], "as": "thing"}


ALL_AT_ONCE = """name: de mo
inputs:
  text: strng
  used: number
stps: []
steps:
  - id: a
    kind: tsk
  - id: a
    kind: http
    urll: x
    timeout: 5 parsecs
  - id: b/c
    kind: prompt
    model: m
    prompt: "${inputs.used + } ${steps.zz.outputs}"
    needs: [later, aa]
  - id: w
    kind: wait_event
    event: "${steps.last.outputs}"
    when: "${outputs.x}"
  - kind: sleep
  - id: loop1
    kind: loop
    body: []
  - id: s
    kind: structured_output
    model: m
    prompt: x
    schema: {type: nope}
  - id: last
    kind: subflow
    workflow: other
edges:
  - {from: last, to: nowhere}
  - {from: w, to: a, loopback: true, condition: "${output.x >"}
budget: {max_cost_usd: -1}
failure_policy: contine
"""


def test_all_mistakes_are_told_at_once_each_with_line_and_column() -> None:
    result = compile_document(ALL_AT_ONCE, "yaml")
    assert result.definition is None
    assert [(found.line, found.column, found.code, found.pointer) for found in result.errors] == [
        (1, 7, "invalid-name", "/name"),
        (3, 9, "invalid-schema", "/inputs/text"),
        (5, 1, "unknown-key", "/stps"),
        (8, 11, "unknown-kind", "/steps/0/kind"),
        (9, 5, "missing-param", "/steps/1"),
        (9, 9, "duplicate-id", "/steps/1/id"),
        (11, 5, "unknown-key", "/steps/1/urll"),
        (12, 14, "invalid-duration", "/steps/1/timeout"),
        (13, 9, "invalid-id", "/steps/2/id"),
        (16, 30, "invalid-expression", "/steps/2/prompt"),
        (17, 13, "unknown-node", "/steps/2/needs/0"),
        (17, 20, "unknown-node", "/steps/2/needs/1"),
        (20, 15, "not-upstream", "/steps/3/event"),
        (21, 14, "unknown-name", "/steps/3/when"),
        (22, 5, "missing", "/steps/4"),
        (22, 5, "missing-param", "/steps/4"),
        (23, 5, "missing-param", "/steps/5"),
        (25, 11, "no-nodes", "/steps/5/body"),
        (30, 13, "invalid-schema", "/steps/6/schema"),
        (35, 22, "unknown-node", "/edges/0/to"),
        (36, 62, "invalid-expression", "/edges/1/condition"),
        (37, 24, "invalid-value", "/budget/max_cost_usd"),
        (38, 17, "invalid-value", "/failure_policy"),
    ]
    told = {found.pointer: found.message for found in result.errors}
    assert told["/steps/0/kind"] == "there is no kind `tsk`; did you mean `task`?"
    assert told["/steps/1/urll"] == "a step of kind `http` has no `urll`; did you mean `url`?"
    assert told["/failure_policy"].endswith("did you mean `continue`?")


@pytest.mark.parametrize(
    ("source", "line", "column", "code", "message"),
    [
        ("steps: [{id: a, kind: sleep, seconds: 1}]", 1, 1, "missing", "`name` is missing"),
        ("name: validate\nsteps: [{id: a, kind: sleep, seconds: 1}]", 1, 7, "invalid-name", "uses itself"),
        ("name: x", 1, 1, "no-nodes", "there are no steps"),
        ("name: x\nsteps: []", 2, 8, "no-nodes", "there are no steps"),
        ("name: x\nsteps: {a: b}", 2, 8, "invalid-type", "an object is not a list"),
        ("name: x\nsteps: [sleep]", 2, 9, "invalid-type", "`sleep` is not a step"),
        ("name: x\nnodes: []\nsteps: [{id: a, kind: sleep, seconds: 1}]", 2, 8, "invalid-value", "`steps` and `nodes`"),
        ("name: x\nname: y\nsteps: [{id: a, kind: sleep, seconds: 1}]", 2, 1, "duplicate-key", "there twice"),
        (step("{id: a, http: x}"), 3, 5, "missing", "is it `kind: http`?"),
        (step("{id: a, kind: sleep}"), 3, 5, "missing-param", "needs `seconds` or `until`"),
        (step("{id: a, kind: sleep, seconds: 1, until: x}"), 3, 38, "invalid-value", "has one of"),
        (step("{id: a, kind: sleep, seconds: -1}"), 3, 35, "invalid-duration", "not between"),
        (step("{id: a, kind: sleep, seconds: 400d}"), 3, 35, "invalid-duration", "not between"),
        (step("{id: a, kind: http, url: x, method: GETT}"), 3, 41, "invalid-value", "did you mean `GET`?"),
        (step("{id: a, kind: http, url: x, json: 1, body: b}"), 3, 42, "invalid-value", "has one of"),
        (step('{id: a, kind: subflow, workflow: "${inputs.w}"}'), 3, 38, "invalid-value", "cannot be an expression"),
        (step("{id: a, kind: foreach, items: inputs.x, body: [{id: b, kind: sleep, seconds: 1}]}"), 3, 35,
         "invalid-type", "or an expression like"),
        (step("{id: a, kind: all, branches: {}}"), 3, 34, "no-nodes", "no branches"),
        (step("{id: a, kind: all, branches: {a b: []}}"), 3, 35, "invalid-id", "no name of a branch"),
        (step("{id: a, kind: when, condition: true, body: [{id: a, kind: sleep, seconds: 1}]}"), 3, 54, "duplicate-id",
         "around it"),
        (step("{id: a, kind: branch, cases: [{body: []}]}"), 3, 35, "missing", "`condition` is missing"),
        (step("{id: a, kind: tap, outputs: 1, body: [{id: b, kind: sleep, seconds: 1}]}"), 3, 33, "invalid-value",
         "what came in"),
        (step("{id: a, kind: interrupt, title: t, on_timeout: explode}"), 3, 52, "invalid-value", "not one of"),
        (step("{id: a, kind: wait_event, event: e, schema: {pattern: '(?=x)'}}"), 3, 49, "invalid-schema", "RE2"),
        (step("{id: a, kind: wait_event, event: e, schema: {$ref: 'http://x.test/s'}}"), 3, 49, "invalid-schema",
         "outside itself"),
        (step("{id: a, kind: sleep, seconds: 1, writes: {total: 1}}"), 3, 47, "invalid-path", "no path"),
        (step("{id: a, kind: sleep, seconds: 1, retries: {limit: 1000}}"), 3, 55, "invalid-value", "not between"),
        (step("{id: a, kind: sleep, seconds: 1, retries: {delay: 1}}"), 3, 47, "missing", "`limit` is missing"),
        (step("{id: a, kind: sleep, seconds: 1, interrupt_before: {on_timeout: continue}}"), 3, 69, "invalid-value",
         "not one of"),
        (step("{id: a, kind: sleep, seconds: 1, join: both}"), 3, 44, "invalid-value", "not one of all, any"),
        (step("{id: a, kind: sleep, seconds: 1, tools: shell}"), 3, 45, "invalid-type", "list of names"),
        (step("{id: a, kind: sleep, seconds: 1}", max_concurrency="0"), 4, 18, "invalid-value", "not between"),
        (step("{id: a, kind: sleep, seconds: 1}", inputs="{n: {type: integer, default: x}}"), 4, 38, "invalid-value",
         "default does not fit"),
        (step("{id: a, kind: sleep, seconds: 1}", inputs="{type: object, properties: 3}"), 4, 9, "invalid-schema",
         "JSON Schema"),
        (step("{id: a, kind: sleep, seconds: 1}", state="{reducers: {context.x: avg}}"), 4, 31, "invalid-value",
         "not one of"),
        (step("{id: a, kind: sleep, seconds: 1}", state="{reducers: {inputs.x: sum}}"), 4, 20, "invalid-path", "path"),
        (step("{id: a, kind: sleep, seconds: 1}", evaluation="{version: 1}"), 4, 13, "missing", "`rubric`"),
        (step("{id: a, kind: sleep, seconds: 1}", edges="[{from: a}]"), 4, 9, "missing", "`to` is missing"),
        ("name: x\nsteps:\n" + "".join(f"  - {{id: s{n}, kind: sleep, seconds: 1}}\n" for n in range(501)), 3, 3,
         "too-many-nodes", "more than 500"),
    ],
    ids=lambda value: value[-24:] if isinstance(value, str) else None,
)  # fmt: skip
def test_one_mistake(source: str, line: int, column: int, code: str, message: str) -> None:
    found = [
        (error.line, error.column, error.code)
        for error in compile_document(source, None).errors
        if message in error.message
    ]
    assert found == [(line, column, code)], compile_document(source, None).errors


def test_bodies_in_bodies_end_somewhere() -> None:
    source: dict[str, Any] = {"id": "end", "kind": "sleep", "seconds": 1}
    for level in range(12):
        source = {"id": "x" * 60 + str(level), "kind": "when", "condition": True, "body": [source]}
    errors = compile_document(json.dumps({"name": "deep", "steps": [source]}), None).errors
    assert {error.code for error in errors} == {"too-deep"}


MEMBERS = (
    "name steps nodes edges id kind body branches cases else when needs inputs outputs condition from to loopback "
    "items retries schema type result evaluation"
)
WORDS = st.sampled_from(MEMBERS.split())
LEAVES = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6) | WORDS
    | st.sampled_from(["a", "b", "task", "when", "all", "foreach", "branch", "tap", "${steps.a.outputs}", "5s", "${"])
)  # fmt: skip
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6), max_leaves=40
)


@given(st.dictionaries(WORDS, TREES, max_size=6))
def test_no_document_breaks_the_compiler(document: dict[str, Any]) -> None:
    result = compile_document(json.dumps(document), "json")
    assert (result.definition is None) == bool(result.errors)
    for found in result.errors + result.warnings:
        assert (found.line, found.column) >= (1, 1)
        assert found.message
