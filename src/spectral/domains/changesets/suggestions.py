"""Which dimensions a rubric could get: proposed from the failures that clusters hold. The rules are pure.

A proposal is a dimension for a person to read and to try with `preview`; nothing is saved. Texts of failures are only
looked at: none of them gets into a proposal but the cluster's label and, for a schema, the form of expected answers.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.clusters import ClusterService, SeenCluster
from spectral.domains.evaluations.drafting import schema_of
from spectral.domains.evaluations.scorers.models import language_model
from spectral.domains.evaluations.scoring import Dimension
from spectral.domains.evaluations.service import RubricService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Page

MOST_SUGGESTIONS = 20
LABEL_CHARACTERS = 200
MOST = 0.6
"""A rule fits a cluster when so many of its examples fit it."""

CLOSED = frozenset({"muted", "resolved"})

_FAILURE = re.compile(r"^(?P<expected>.*?) → (?P<got>.*) · (?P<detail>[^·]*)$", re.DOTALL)
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_UNFIT = re.compile(r"[^a-z0-9]+")

JUDGE_PROMPT = """\
An agent keeps failing in one way. What its failures have in common, in a few words: {label}

Judge whether the answer avoids this failure; what else may be wrong with it does not count.

The question was:
{{input}}
The answer is:
{{output}}"""


@dataclass(frozen=True, slots=True)
class Failed:
    """One failure as a cluster shows it."""

    expected: str
    got: str
    detail: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A dimension that would see what a cluster's failures have in common, and why it is proposed."""

    cluster_id: UUID
    label: str
    size: int
    share: float
    dimension: Dimension
    reason: str


class SuggestionService:
    """Proposals for the rubrics of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._clusters = ClusterService(session, access)
        self._rubrics = RubricService(session, access)

    async def list_suggestions(
        self, agent_id: UUID | None, rubric_id: UUID | None, model: str | None
    ) -> list[Suggestion]:
        """One for each open cluster, the largest first; none for what the rubric measures by the same scorer already.

        model: who would judge where no other scorer can see the failure; without one such a cluster has the answer's
        words compared. Raises NotFoundError for the rubric, ValidationFailedError (422) for a model that cannot judge.
        """
        if model is not None:
            try:
                language_model(model, "judge")
            except ValueError as error:
                raise ValidationFailedError(str(error), [FieldError("model", str(error))]) from error
        present: set[tuple[str, str]] = set()
        if rubric_id is not None:
            rubric = await self._rubrics.read_rubric_spec(rubric_id)
            present = {(each.scorer, _key(each.options)) for each in rubric.dimensions}
        seen, _ = await self._clusters.list_all(Page(limit=MOST_SUGGESTIONS), agent_id=agent_id)
        found = []
        taken: set[str] = set()
        for cluster in sorted(seen, key=lambda each: (-each.sighting.size, str(each.cluster.id))):
            if cluster.cluster.status in CLOSED:
                continue
            suggestion = suggestion_of(cluster, model, taken)
            if (suggestion.dimension.scorer, _key(suggestion.dimension.options)) not in present:
                found.append(suggestion)
                taken.add(suggestion.dimension.name)
        return found


def suggestion_of(cluster: SeenCluster, model: str | None, taken: set[str]) -> Suggestion:
    """What is proposed for one cluster. taken: names of dimensions that are given away."""
    failures = read_failures([member.text for member in cluster.examples if member.text])
    label = cluster.cluster.label[:LABEL_CHARACTERS]
    scorer, options, reason = dimension_for(failures, label, model)
    name = _name_of(label, taken)
    dimension = Dimension.model_validate({"name": name, "scorer": scorer, "weight": 1, "options": options})
    size, share = cluster.sighting.size, cluster.sighting.share
    return Suggestion(cluster.cluster.id, cluster.cluster.label, size, share, dimension, reason)


def read_failures(texts: Sequence[str]) -> list[Failed]:
    """The failures that "expected → got · dimension: explanation" says; other texts are left out."""
    matches = (_FAILURE.match(text) for text in texts)
    return [
        Failed(match["expected"].strip(), match["got"].strip(), match["detail"].strip())
        for match in matches
        if match is not None
    ]


def dimension_for(failures: Sequence[Failed], label: str, model: str | None) -> tuple[str, dict[str, Any], str]:
    """Scorer, options and reason that fit most of the failures."""

    def mostly(fits: Sequence[bool]) -> bool:
        return bool(fits) and sum(fits) >= MOST * len(fits)

    documents = [_document(each.expected) for each in failures]
    known = [document for document in documents if document is not None]
    if mostly([document is not None for document in documents]) and mostly(
        [_document(each.got) is None for each in failures]
    ):
        reason = "JSON was expected and most of these answers are none: check the form by itself"
        return "json_schema", {"schema": schema_of(known)}, reason
    if mostly([_NUMBER.fullmatch(each.expected) is not None and bool(_NUMBER.search(each.got)) for each in failures]):
        return "numeric_tolerance", {"relative": 0.01}, "numbers were expected and other numbers came: see how far off"
    if mostly([_holds(each.got, each.expected) for each in failures]):
        reason = "most of these answers hold the expected one with more around it: see whether it is there at all"
        return "contains", {}, reason
    if model is not None:
        prompt = JUDGE_PROMPT.format(label=label.replace("{", "(").replace("}", ")"))
        reason = "no scorer of this installation sees what these failures have in common; a judge could"
        return "judge", {"model": model, "prompt": prompt}, reason
    reason = "no rule fits these failures: words in common with the expected answer; name a `model` for a judge"
    return "token_f1", {}, reason


def _document(text: str) -> Any:
    """The JSON object or list that a text is, or None."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _holds(got: str, expected: str) -> bool:
    return len(expected) > 1 and expected.casefold() in got.casefold() and expected.casefold() != got.casefold()


def _name_of(label: str, taken: set[str]) -> str:
    words = _UNFIT.sub("_", label.casefold()).strip("_")[:40].rstrip("_")
    name = words if words[:1].isalpha() else f"failure_{words}".rstrip("_")
    return next(
        candidate for candidate in (name, *(f"{name}_{number}" for number in range(2, 100))) if candidate not in taken
    )


def _key(options: Any) -> str:
    return json.dumps(options, sort_keys=True, default=str)
