-- One row an answered call. The writer makes id and time, so that writing a row twice leaves it once.
-- Payload and result are json, not jsonb: they are kept as they came, "\u0000" included.
CREATE TABLE request_logs (
    id                uuid             NOT NULL,
    created_at        timestamptz      NOT NULL,
    endpoint          text             NOT NULL,          -- initialize | execute
    http_request_id   text             NOT NULL,          -- X-Request-ID
    call_id           text,                               -- X-Call-Id of the gateway
    traceparent       text,
    session_id        text,                               -- request_id of the session
    user_id           text             NOT NULL,
    language          text,
    title             text,
    script_hash       text,
    request_payload   json,
    response_data     json,
    status            text             NOT NULL CHECK (status IN ('ok', 'error')),
    status_code       integer          NOT NULL,
    error_code        text,
    cached            boolean          NOT NULL,
    executed          boolean          NOT NULL,          -- counts in the session's execution_count
    duration_ms       double precision NOT NULL,          -- the whole call, in the controller
    execution_time_ms double precision,                   -- the script's run, measured by the runtime
    runtime_metrics   json,
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX request_logs_by_time ON request_logs (created_at);
CREATE INDEX request_logs_by_session ON request_logs (session_id, created_at);
CREATE INDEX request_logs_by_http_request ON request_logs (http_request_id);

-- Rows of a month nobody prepared for must not be lost.
CREATE TABLE request_logs_default PARTITION OF request_logs DEFAULT;

CREATE TABLE error_logs (
    id              uuid        NOT NULL,
    created_at      timestamptz NOT NULL,
    endpoint        text        NOT NULL,
    http_request_id text        NOT NULL,
    call_id         text,
    session_id      text,
    user_id         text        NOT NULL,
    language        text,
    title           text,
    status_code     integer     NOT NULL,
    error_code      text        NOT NULL,
    message         text        NOT NULL,
    details         json,
    PRIMARY KEY (id, created_at)
);
CREATE INDEX error_logs_by_time ON error_logs (created_at);
CREATE INDEX error_logs_by_session ON error_logs (session_id, created_at);

-- Makes the partitions of this month and of the next ones; safe to call again and again.
CREATE FUNCTION meta.ensure_log_partitions(months_ahead integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    first_day date;
    made integer := 0;
    partition_name text;
BEGIN
    FOR ahead IN 0 .. months_ahead LOOP
        first_day := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead))::date;
        partition_name := 'request_logs_' || to_char(first_day, 'YYYY_MM');
        IF to_regclass('public.' || partition_name) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE public.%I PARTITION OF public.request_logs FOR VALUES FROM (%L) TO (%L)',
                partition_name,
                first_day::text || ' 00:00:00+00',
                (first_day + interval '1 month')::date::text || ' 00:00:00+00'
            );
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;
SELECT meta.ensure_log_partitions(3);
