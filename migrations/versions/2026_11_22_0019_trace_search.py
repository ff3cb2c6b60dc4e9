"""The words of traces can be searched, and failed traces are found without a look at the others.

The words are those of name, input and output preview. Every row's words begin with its workspace's own, so that a
search meets no other workspace's rows.

SQLite: an FTS5 index beside `trace`. Whoever inserts traces inserts their words, many at once; triggers keep them where
one of the three texts changes or the trace goes.
PostgreSQL: a GIN index over an expression. Row-level security keeps it from being used: the operator of text search
may not be asked before a row's policy was. So `spectral_search_traces` runs as the tables' owner and binds itself to
the transaction's workspace; `roles.grant_roles` lets the owner read through it where it is another role than the
application's.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

FAILED = "ix_trace_workspace_id_started_at_trace_id_failed"
HAS_ERROR = sa.text("error_count > 0")
TEXTS = ("name", "input_preview", "output_preview")

# Of these the parser of PostgreSQL would make addresses, paths, numbers, tags and hyphenated words, or, where the
# database has the C locale, letters. `replace` of each is several times faster than `translate` of all.
OWN_WORD = "'w' || replace(workspace::text, '-', '')"
PUNCTUATION = ".-/+<&“”’…–—"


def without(punctuation: str, text: str) -> str:
    for character in punctuation:
        text = f"replace({text}, '{character}', ' ')"
    return text


TEXT = """name || ' ' || token || ' ' || coalesce(input, '') || ' ' || token || ' ' || coalesce(output, '')"""
DOCUMENT = f"""
CREATE FUNCTION spectral_trace_document(workspace uuid, name text, input text, output text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT to_tsvector('simple'::regconfig, {without(PUNCTUATION, TEXT.replace("token", OWN_WORD))} || ' ' || {OWN_WORD})
$$
"""

# The workspace is compared in a way that no other index serves: the words of `wanted` begin with it anyway.
SEARCH = """
CREATE FUNCTION spectral_search_traces(wanted text, most integer) RETURNS SETOF bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
SELECT trace_id FROM public.trace
WHERE public.spectral_trace_document(workspace_id, name, input_preview, output_preview)
      @@ to_tsquery('simple'::regconfig, wanted)
  AND workspace_id IS NOT DISTINCT FROM NULLIF(current_setting('spectral.workspace', true), '')::uuid
  AND has_table_privilege(session_user, 'public.trace', 'SELECT')
LIMIT most
$$
"""


def upgrade() -> None:
    op.create_index(
        FAILED,
        "trace",
        ["workspace_id", "started_at", "trace_id"],
        postgresql_where=HAS_ERROR,
        sqlite_where=HAS_ERROR,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(DOCUMENT)
        op.execute(
            "CREATE INDEX ix_trace_search ON trace USING gin "
            "(spectral_trace_document(workspace_id, name, input_preview, output_preview))"
        )
        op.execute(SEARCH)
        return
    columns = ", ".join(("workspace_id", *TEXTS))
    new, old = (", ".join(f"{row}.{name}" for name in ("rowid", "workspace_id", *TEXTS)) for row in ("new", "old"))
    # Nothing is ranked, so how long the texts are is not kept.
    op.execute(
        f"CREATE VIRTUAL TABLE trace_search USING fts5({columns}, content='trace', columnsize=0, "
        "tokenize='unicode61 remove_diacritics 0')"
    )
    op.execute("INSERT INTO trace_search (trace_search) VALUES ('rebuild')")
    add = f"INSERT INTO trace_search (rowid, {columns}) VALUES ({new});"  # noqa: S608 - our own names
    remove = f"INSERT INTO trace_search (trace_search, rowid, {columns}) VALUES ('delete', {old});"  # noqa: S608
    changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in TEXTS)
    op.execute(f"CREATE TRIGGER trace_search_delete AFTER DELETE ON trace BEGIN {remove} END")
    op.execute(
        f"CREATE TRIGGER trace_search_update AFTER UPDATE OF {', '.join(TEXTS)} ON trace "
        f"WHEN {changed} BEGIN {remove} {add} END"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP POLICY IF EXISTS trace_owner ON trace")
        op.execute("DROP FUNCTION spectral_search_traces(text, integer)")
        op.execute("DROP INDEX ix_trace_search")
        op.execute("DROP FUNCTION spectral_trace_document(uuid, text, text, text)")
    else:
        for event in ("delete", "update"):
            op.execute(f"DROP TRIGGER trace_search_{event}")
        op.execute("DROP TABLE trace_search")
    op.drop_index(FAILED, "trace")
