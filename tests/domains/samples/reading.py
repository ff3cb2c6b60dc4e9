"""Whole files of samples in memory, for tests of small ones."""

import io

from spectral.domains.samples.importing import ImportedRow, csv_rows, jsonl_rows


def read_jsonl(body: bytes) -> list[ImportedRow]:
    """The samples of a JSON Lines file. Raises ImportRefusedError (422)."""
    return list(jsonl_rows(io.BytesIO(body)))


def read_csv(body: bytes) -> list[ImportedRow]:
    """The samples of a CSV file. Raises ImportRefusedError (422)."""
    return list(csv_rows(io.BytesIO(body)))
