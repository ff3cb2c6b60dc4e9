"""The built-in examples and every document of the page compile, and the page shows every kind."""

import re
from collections.abc import Mapping

import pytest

from spectral.domains.workflows.definitions.built_in import examples
from spectral.domains.workflows.definitions.compiling import Compiled, compile_document
from spectral.domains.workflows.definitions.language import KINDS, STEP_MEMBERS, WORKFLOW_MEMBERS
from spectral.domains.workflows.definitions.model import Definition, NodeKind
from spectral.domains.workflows.definitions.validation import Known
from spectral.domains.workflows.nodes.standard_tasks import standard_registry
from tests.fixtures.project import ROOT

PAGE = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
DOCUMENTS = {
    found.group(1): found.group(0) for found in re.finditer(r"(?<=```yaml\n)name: (\S+)\n.*?(?=```)", PAGE, re.DOTALL)
}


def compiled(source: str, workflows: Mapping[str, Definition]) -> Compiled:
    tasks = standard_registry().public()
    known = Known(agents=(), tasks=tasks, secrets=(), rubrics={}, workflows=workflows)
    return compile_document(source, "yaml", known)


def definition_of(source: str) -> Definition:
    found = compile_document(source, "yaml").definition
    assert found is not None
    return found


@pytest.mark.parametrize("name", [example.name for example in examples()])
def test_examples_compile_without_warnings(name: str) -> None:
    found = {example.name: example.source for example in examples()}
    result = compiled(found[name], {other: definition_of(source) for other, source in found.items()})
    assert (result.errors, result.warnings) == ([], [])


def test_examples_show_what_people_ask_for() -> None:
    shown: dict[str, set[str]] = {
        example.name: {node.kind.value for node in definition_of(example.source).graph.walk()} for example in examples()
    }
    assert "interrupt" in shown["approval"]
    assert "http" in shown["parallel-fetch"]
    assert {"when", "all", "race"} <= shown["order-approval"]
    assert "agent" in shown["code-review"]
    assert "loop" in shown["refine"]
    assert "subflow" in shown["publish"]
    assert {"wait_event", "sleep"} <= shown["shipment"]


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_documents_of_the_page_compile(name: str) -> None:
    result = compiled(DOCUMENTS[name], {"greet": definition_of(DOCUMENTS["greet"])})
    assert result.errors == []


def test_the_page_shows_every_kind_and_names_every_member() -> None:
    written = set(re.findall(r"kind: ([a-z_.]+)", PAGE))
    assert set(KINDS) <= written
    assert {kind.value for kind in NodeKind} <= written
    headings = {word.strip() for line in re.findall(r"^### (.+)$", PAGE, re.MULTILINE) for word in line.split(",")}
    assert set(KINDS) <= headings
    told = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert {*WORKFLOW_MEMBERS, *STEP_MEMBERS} <= told
