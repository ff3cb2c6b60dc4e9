"""Collections are answered in one envelope."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from litestar.params import QueryParameter
from pydantic import BaseModel

DEFAULT_LIMIT = 20
MAXIMUM_LIMIT = 100
MAXIMUM_OFFSET = 1_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a collection is asked for."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0


class Pagination(BaseModel):
    """Where in the collection these results stand."""

    total: int
    limit: int
    offset: int


class Collection(BaseModel, Generic[T]):
    """One page of a collection, newest first unless the route says otherwise."""

    results: list[T]
    pagination: Pagination

    @classmethod
    def of(cls, results: Sequence[T], total: int, page: Page) -> "Collection[T]":
        """The envelope of one page; `total` counts the whole collection."""
        return cls(results=list(results), pagination=Pagination(total=total, limit=page.limit, offset=page.offset))


def provide_page(
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=MAXIMUM_LIMIT, description="results a page")] = (
        DEFAULT_LIMIT
    ),
    offset: Annotated[int, QueryParameter(name="offset", ge=0, le=MAXIMUM_OFFSET, description="results to skip")] = 0,
) -> Page:
    """The page that `?limit=` and `?offset=` ask for; out of range is a 422."""
    return Page(limit=limit, offset=offset)
