"""Spans, compressed chunks of raw spans, trace rollups, hourly usage, feedback, and what was ingested when.

On PostgreSQL `span` and `span_chunk` are partitioned by day. Partitions live in a schema of their own, on which the
application holds no right: it reaches them only through their parents, and so through the parents' policies. It makes
them by calling `spectral_make_span_partitions`, which runs as the tables' owner.

Revision ID: 0004
Revises: 0003a
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, NanoUsdColumn, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0004"
down_revision = "0003a"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
TRACE_ID = sa.LargeBinary(16)
SPAN_ID = sa.LargeBinary(8)
DIGEST = sa.LargeBinary(16)

TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_tokens",
)
COUNTERS = (
    "span_count",
    "error_count",
    "root_count",
    "root_error_count",
    *TOKENS,
    "cost_nano_usd",
    "priced_count",
    "unpriced_count",
    "duration_us",
    *(f"latency_{index:02d}" for index in range(36)),
)
TABLES = ("span", "span_chunk", "trace", "trace_feedback", "trace_ingestion", "usage_hourly")

PARTITIONS = """
CREATE FUNCTION spectral_make_span_partitions(first_day date, last_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    parent text;
    partition text;
    day date;
    made integer := 0;
    low bigint;
BEGIN
    IF last_day - first_day > 400 OR last_day > current_date + 31 THEN
        RAISE EXCEPTION 'partitions are made for at most 400 days, and at most 31 days ahead';
    END IF;
    -- One process makes partitions at a time; the others find them made.
    PERFORM pg_advisory_xact_lock(7311926448218);
    FOREACH parent IN ARRAY ARRAY['span', 'span_chunk'] LOOP
        day := first_day;
        WHILE day <= last_day LOOP
            partition := parent || '_' || to_char(day, 'YYYYMMDD');
            IF to_regclass('spectral_partitions.' || quote_ident(partition)) IS NULL THEN
                low := extract(epoch FROM day)::bigint * 1000000000;
                BEGIN
                    EXECUTE format(
                        'CREATE TABLE spectral_partitions.%I PARTITION OF public.%I FOR VALUES FROM (%s) TO (%s)',
                        partition, parent, low, low + 86400::bigint * 1000000000
                    );
                    EXECUTE format('ALTER TABLE spectral_partitions.%I ENABLE ROW LEVEL SECURITY', partition);
                    EXECUTE format('ALTER TABLE spectral_partitions.%I FORCE ROW LEVEL SECURITY', partition);
                    made := made + 1;
                EXCEPTION WHEN check_violation THEN
                    -- The default partition holds rows of that day already; they stay there.
                    NULL;
                END;
            END IF;
            day := day + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$
"""

# Cascades run their triggers as the application, under row-level security: the workspace is the deleted row's own.
DELETION = """
CREATE FUNCTION spectral_delete_spans() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := current_setting('spectral.workspace', true);
BEGIN
    PERFORM set_config('spectral.workspace', OLD.workspace_id::text, true);
    DELETE FROM span WHERE workspace_id = OLD.workspace_id AND trace_id = OLD.trace_id;
    DELETE FROM span_chunk WHERE workspace_id = OLD.workspace_id AND trace_id = OLD.trace_id;
    PERFORM set_config('spectral.workspace', coalesce(before, ''), true);
    RETURN NULL;
END
$$
"""


def workspace_reference(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name=f"fk_{table}_workspace_id_workspace"
    )


def counters(names: tuple[str, ...], *, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=nullable) for name in names]


def upgrade() -> None:
    op.create_table(
        "span",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("trace_id", TRACE_ID, nullable=False),
        sa.Column("span_id", SPAN_ID, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("parent_span_id", SPAN_ID),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("otel_kind", sa.SmallInteger, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("provider", sa.Text),
        sa.Column("model", sa.Text),
        *counters(TOKENS, nullable=True),
        sa.Column("cost_nano_usd", NanoUsdColumn),
        sa.Column("session_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("tool_name", sa.Text),
        sa.Column("error_type", sa.Text),
        sa.Column("agent_id", sa.Text),
        sa.Column("agent_version", sa.Text),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("service", sa.Text),
        sa.Column("encoded_length", sa.BigInteger, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "trace_id", "span_id", "started_at", name="pk_span"),
        postgresql_partition_by="RANGE (started_at)",
    )
    op.create_index("ix_span_workspace_id_started_at", "span", ["workspace_id", "started_at"])
    op.create_table(
        "span_chunk",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("trace_id", TRACE_ID, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("codec", sa.SmallInteger, nullable=False),
        sa.Column("span_count", sa.Integer, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "trace_id", "start_ns", "digest", name="pk_span_chunk"),
        postgresql_partition_by="RANGE (start_ns)",
    )
    create_trace()
    create_feedback()
    op.create_table(
        "trace_ingestion",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("minute", MOMENT, nullable=False),
        *counters(("requests", "accepted_spans", "duplicate_spans", "received_bytes")),
        sa.Column("rejected", Json, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "minute", name="pk_trace_ingestion"),
        workspace_reference("trace_ingestion"),
    )
    dimensions = ("agent_id", "agent_version", "model", "operation", "mode")
    op.create_table(
        "usage_hourly",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("hour", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in dimensions),
        *counters(COUNTERS),
        sa.PrimaryKeyConstraint("workspace_id", "hour", *dimensions, name="pk_usage_hourly"),
        workspace_reference("usage_hourly"),
    )
    enable_row_security(op, *TABLES)
    if op.get_bind().dialect.name == "postgresql":
        prepare_postgresql()
    else:
        op.execute(
            "CREATE TRIGGER trace_deletes_spans AFTER DELETE ON trace BEGIN "
            "DELETE FROM span WHERE workspace_id = OLD.workspace_id AND trace_id = OLD.trace_id; "
            "DELETE FROM span_chunk WHERE workspace_id = OLD.workspace_id AND trace_id = OLD.trace_id; END"
        )


def create_trace() -> None:
    op.create_table(
        "trace",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("trace_id", TRACE_ID, nullable=False),
        *counters(("started_at", "ended_at", "duration_ns")),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("root_span_id", SPAN_ID, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        *counters(("span_count", "error_count", *TOKENS)),
        sa.Column("cost_nano_usd", NanoUsdColumn),
        sa.Column("unpriced_spans", sa.BigInteger, nullable=False),
        sa.Column("models", Json, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("session_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("agent_id", sa.Text),
        sa.Column("agent_version", sa.Text),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("service", sa.Text),
        sa.Column("error_type", sa.Text),
        sa.Column("input_preview", sa.Text),
        sa.Column("output_preview", sa.Text),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("feedback_count", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("scores", Json, nullable=False, server_default=sa.text("'{}'")),
        sa.PrimaryKeyConstraint("workspace_id", "trace_id", name="pk_trace"),
        workspace_reference("trace"),
    )
    op.create_index("ix_trace_workspace_id_started_at_trace_id", "trace", ["workspace_id", "started_at", "trace_id"])
    for column in ("agent_id", "session_id", "user_id"):
        # With the id at the end, so that the index gives the whole order of a list that is narrowed by its column.
        op.create_index(
            f"ix_trace_workspace_id_{column}_started_at_trace_id",
            "trace",
            ["workspace_id", column, "started_at", "trace_id"],
        )


def create_feedback() -> None:
    op.create_table(
        "trace_feedback",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("trace_id", TRACE_ID, nullable=False),
        sa.Column("span_id", SPAN_ID),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("score", sa.Float(53)),
        sa.Column("label", sa.String(200)),
        sa.Column("comment", sa.Text),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_trace_feedback"),
        workspace_reference("trace_feedback"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "trace_id"],
            ["trace.workspace_id", "trace.trace_id"],
            ondelete="CASCADE",
            name="fk_trace_feedback_workspace_id_trace_id_trace",
        ),
    )
    op.create_index(
        "ix_trace_feedback_workspace_id_trace_id_created_at",
        "trace_feedback",
        ["workspace_id", "trace_id", "created_at"],
    )


def prepare_postgresql() -> None:
    # Chunks are compressed already; compressing them again would only cost time.
    op.execute("ALTER TABLE span_chunk ALTER COLUMN payload SET STORAGE EXTERNAL")
    op.execute("CREATE SCHEMA spectral_partitions")
    for table in ("span", "span_chunk"):
        op.execute(f"CREATE TABLE spectral_partitions.{table}_default PARTITION OF {table} DEFAULT")
        op.execute(f"ALTER TABLE spectral_partitions.{table}_default ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE spectral_partitions.{table}_default FORCE ROW LEVEL SECURITY")
    op.execute(PARTITIONS)
    op.execute(DELETION)
    op.execute(
        "CREATE TRIGGER trace_deletes_spans AFTER DELETE ON trace FOR EACH ROW EXECUTE FUNCTION spectral_delete_spans()"
    )


def downgrade() -> None:
    for table in ("usage_hourly", "trace_ingestion", "trace_feedback", "trace", "span_chunk", "span"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION spectral_delete_spans()")
        op.execute("DROP FUNCTION spectral_make_span_partitions(date, date)")
        op.execute("DROP SCHEMA spectral_partitions")
