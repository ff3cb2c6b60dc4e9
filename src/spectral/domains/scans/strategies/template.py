"""A person's own candidates: nothing is searched, what was given is tried."""

from collections.abc import Iterator

from spectral.domains.scans.strategies.base import Candidate, Context


class TemplateStrategy:
    """Proposes `options["candidates"]`, a list of changes (JSON pointer → value), in the order given."""

    name = "template"

    def run(self, ctx: Context) -> Iterator[Candidate]:
        """Every candidate that was given; one without changes is the champion itself."""
        for number, changes in enumerate(ctx.options.get("candidates", []), start=1):
            yield Candidate(dict(changes), self.name, f"candidate {number} of the person who started the scan")
