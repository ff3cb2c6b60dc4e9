"""The built-in examples: documents in `examples/`, as the installation brings them."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from spectral.domains.workflows.definitions.documents import read_document


@dataclass(frozen=True, slots=True)
class Example:
    """A document that compiles in a workspace which has what it names."""

    name: str
    description: str
    source: str


@cache
def examples() -> tuple[Example, ...]:
    """Every example, by name."""
    found = []
    for file in files(__package__).joinpath("examples").iterdir():
        if file.name.endswith(".yaml"):
            source = file.read_text(encoding="utf-8")
            value = read_document(source, "yaml").value
            found.append(Example(str(value["name"]), str(value["description"]).strip(), source))
    return tuple(sorted(found, key=lambda example: example.name))
