-- A row of request_logs costs less: docs/adr/0032.

-- A session's rows are found by its owner and its beginning, which the index on users has. So beside that index, only
-- the one on request ids grows in random places.
DROP INDEX request_logs_by_session;

-- Writes a batch of rows to the request log, and counts their executions in the sessions. Documents are text in the JSON
-- of a row, because `json` allows "\u0000" and `text` does not. Rows that are there already are skipped and not counted
-- again. A function, since a connection keeps its plans: to make them takes as long as twenty rows.
CREATE FUNCTION meta.write_requests(batch json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH written AS (
        INSERT INTO public.request_logs (
            id, created_at, endpoint, http_request_id, call_id, traceparent, session_id, user_id, language, title,
            script_hash, request_payload, response_data, status, status_code, error_code, cached, executed, duration_ms,
            execution_time_ms, runtime_metrics, counted, version
        )
        SELECT
            id, created_at, endpoint, http_request_id, call_id, traceparent, session_id, user_id, language, title,
            script_hash, request_payload::json, response_data::json, status, status_code, error_code, cached, executed,
            duration_ms, execution_time_ms, runtime_metrics::json, counted, version
        FROM json_to_recordset(batch) AS r (
            id uuid, created_at timestamptz, endpoint text, http_request_id text, call_id text, traceparent text,
            session_id text, user_id text, language text, title text, script_hash text, request_payload text,
            response_data text, status text, status_code integer, error_code text, cached boolean, executed boolean,
            duration_ms double precision, execution_time_ms double precision, runtime_metrics text, counted boolean,
            version integer
        )
        ON CONFLICT DO NOTHING
        RETURNING session_id, created_at, executed, counted
    ), counts AS (
        SELECT
            session_id, count(*) AS executions, count(*) FILTER (WHERE NOT counted) AS uncounted,
            max(created_at) AS last_executed_at
        FROM written WHERE executed GROUP BY session_id
    )
    UPDATE public.sessions SET
        execution_count = execution_count + counts.executions,
        uncounted = sessions.uncounted + counts.uncounted,
        last_executed_at = greatest(sessions.last_executed_at, counts.last_executed_at)
    FROM counts WHERE sessions.request_id = counts.session_id;
END
$$;
