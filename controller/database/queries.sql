-- name: ping()$
SELECT 1;

-- name: put_script(script_hash, script_content)!
INSERT INTO scripts (script_hash, script_content, size_bytes)
VALUES (:script_hash, :script_content, octet_length(:script_content))
ON CONFLICT DO NOTHING;

-- name: script(script_hash)$
SELECT script_content FROM scripts WHERE script_hash = :script_hash;

-- name: put_artifact(script_hash, language, compile_options, artifact)!
INSERT INTO artifacts (script_hash, language, compile_options, artifact)
VALUES (:script_hash, :language, :compile_options, :artifact)
ON CONFLICT DO NOTHING;

-- name: artifact(script_hash, language, compile_options)$
SELECT artifact FROM artifacts
WHERE script_hash = :script_hash AND language = :language AND compile_options = :compile_options;

-- name: put_function(user_id, language, title, script_hash, compile_options)^
-- A text of its own is a version of its own; the same text again changes nothing but the time.
WITH function AS (
    INSERT INTO functions (user_id, language, title, type, script_hash, compile_options)
    VALUES (:user_id, :language, :title, 'dynamic', :script_hash, :compile_options)
    ON CONFLICT (user_id, language, title) WHERE user_id IS NOT NULL DO UPDATE SET
        version = functions.version + (functions.script_hash <> excluded.script_hash)::integer,
        script_hash = excluded.script_hash,
        compile_options = excluded.compile_options,
        updated_at = now()
    RETURNING function_id, version, script_hash
)
INSERT INTO function_versions (function_id, version, script_hash)
SELECT function_id, version, script_hash FROM function
ON CONFLICT DO NOTHING
RETURNING version;

-- name: delete_function(language, title, owner)!
-- Its versions stay until `delete_old_versions`.
WITH gone AS (
    DELETE FROM functions WHERE language = :language AND title = :title AND user_id = :owner RETURNING function_id
)
UPDATE function_versions SET user_id = :owner, deleted_at = now() FROM gone
WHERE function_versions.function_id = gone.function_id;

-- name: delete_old_versions(days, batch)!
DELETE FROM function_versions WHERE (function_id, version) IN (
    SELECT function_id, version FROM function_versions WHERE deleted_at < now() - make_interval(days => :days)
    ORDER BY deleted_at LIMIT :batch FOR UPDATE SKIP LOCKED
);

-- name: held_by_user(owner, language, title)^
-- How much a user has, the function of that name left out.
SELECT
    (SELECT count(*) FROM sessions WHERE user_id = :owner AND expires_at > now() AND status = 'active') AS sessions,
    (SELECT count(*) FROM functions WHERE user_id = :owner AND (language, title) <> (:language, :title)) AS functions;

-- name: put_predefined_function(language, title, description, tags, schema, examples, script_hash)^
WITH function AS (
    INSERT INTO functions (language, title, type, description, tags, schema, examples, script_hash)
    VALUES (:language, :title, 'predefined', :description, :tags, :schema, :examples, :script_hash)
    ON CONFLICT (language, title) WHERE user_id IS NULL DO UPDATE SET
        version = functions.version + (functions.script_hash <> excluded.script_hash)::integer,
        script_hash = excluded.script_hash,
        description = excluded.description,
        tags = excluded.tags,
        schema = excluded.schema,
        examples = excluded.examples,
        updated_at = now()
    WHERE (functions.script_hash, functions.description, functions.tags, functions.schema::text, functions.examples::text)
        IS DISTINCT FROM
        (excluded.script_hash, excluded.description, excluded.tags, excluded.schema::text, excluded.examples::text)
    RETURNING function_id, version, script_hash
)
INSERT INTO function_versions (function_id, version, script_hash)
SELECT function_id, version, script_hash FROM function
ON CONFLICT DO NOTHING
RETURNING version;

-- name: function(language, title, owner)^
-- A user's own function shadows a predefined one of the same name.
SELECT f.*, s.script_content FROM functions f JOIN scripts s USING (script_hash)
WHERE language = :language AND title = :title AND (user_id = :owner OR user_id IS NULL)
ORDER BY user_id NULLS LAST LIMIT 1;

-- name: count_functions(owner, language, user_id, type)$
SELECT count(*) FROM (
    SELECT DISTINCT ON (language, title) * FROM functions
    WHERE user_id = :owner OR user_id IS NULL
    ORDER BY language, title, user_id NULLS LAST
) visible
WHERE (:language::text IS NULL OR language = :language)
    AND (:user_id::text IS NULL OR user_id = :user_id)
    AND (:type::text IS NULL OR type = :type);

-- name: functions(owner, language, user_id, type, per_page, skipped)
SELECT * FROM (
    SELECT DISTINCT ON (language, title) * FROM functions
    WHERE user_id = :owner OR user_id IS NULL
    ORDER BY language, title, user_id NULLS LAST
) visible
WHERE (:language::text IS NULL OR language = :language)
    AND (:user_id::text IS NULL OR user_id = :user_id)
    AND (:type::text IS NULL OR type = :type)
ORDER BY language, title
LIMIT :per_page OFFSET :skipped;

-- name: put_session(request_id, user_id, language, title, script_hash, compile_options, context, isolation, timeout_ms, retain_session, compile_status, params_schema, status, created_at, expires_at)!
INSERT INTO sessions (
    request_id, user_id, language, title, script_hash, compile_options, context, isolation, timeout_ms,
    retain_session, compile_status, params_schema, status, created_at, expires_at
) VALUES (
    :request_id, :user_id, :language, :title, :script_hash, :compile_options, :context, :isolation, :timeout_ms,
    :retain_session, :compile_status, :params_schema, :status, :created_at, :expires_at
) ON CONFLICT DO NOTHING;

-- name: session(request_id)^
SELECT * FROM sessions WHERE request_id = :request_id;

-- name: end_session(status, request_id)!
UPDATE sessions SET status = :status WHERE request_id = :request_id AND status = 'active';

-- name: count_active_sessions()$
SELECT count(*) FROM sessions WHERE status = 'active' AND expires_at > now();

-- name: delete_expired_sessions(batch)!
-- A bounded batch, so that cleaning up never holds many locks. Rows of the last day stay to be asked for.
DELETE FROM sessions WHERE request_id IN (
    SELECT request_id FROM sessions WHERE expires_at < now() - interval '1 day'
    ORDER BY expires_at LIMIT :batch FOR UPDATE SKIP LOCKED
);

-- name: try_lock(name)$
-- Held until the transaction ends: one process at a time does what it guards.
SELECT pg_try_advisory_xact_lock(hashtext(:name));

-- name: ensure_log_partitions(months_ahead)$
SELECT meta.ensure_log_partitions(:months_ahead);

-- name: write_requests(rows)!
-- One parameter holds all rows as JSON; documents come as text in it, so that what json allows and text does not
-- ("\u0000") stays unread. What is there already is left alone, and only what is new counts for its session.
WITH written AS (
    INSERT INTO request_logs (
        id, created_at, endpoint, http_request_id, call_id, traceparent, session_id, user_id, language, title,
        script_hash, request_payload, response_data, status, status_code, error_code, cached, executed, duration_ms,
        execution_time_ms, runtime_metrics
    )
    SELECT
        id, created_at, endpoint, http_request_id, call_id, traceparent, session_id, user_id, language, title,
        script_hash, request_payload::json, response_data::json, status, status_code, error_code, cached, executed,
        duration_ms, execution_time_ms, runtime_metrics::json
    FROM json_to_recordset(:rows::json) AS r (
        id uuid, created_at timestamptz, endpoint text, http_request_id text, call_id text, traceparent text,
        session_id text, user_id text, language text, title text, script_hash text, request_payload text,
        response_data text, status text, status_code integer, error_code text, cached boolean, executed boolean,
        duration_ms double precision, execution_time_ms double precision, runtime_metrics text
    )
    ON CONFLICT DO NOTHING
    RETURNING session_id, created_at, executed
), counted AS (
    SELECT session_id, count(*) AS executions, max(created_at) AS last_executed_at
    FROM written WHERE executed GROUP BY session_id
)
UPDATE sessions SET
    execution_count = execution_count + counted.executions,
    last_executed_at = greatest(sessions.last_executed_at, counted.last_executed_at)
FROM counted WHERE sessions.request_id = counted.session_id;

-- name: write_errors(rows)!
INSERT INTO error_logs (
    id, created_at, endpoint, http_request_id, call_id, session_id, user_id, language, title, status_code,
    error_code, message, details
)
SELECT
    id, created_at, endpoint, http_request_id, call_id, session_id, user_id, language, title, status_code,
    error_code, message, details::json
FROM json_to_recordset(:rows::json) AS r (
    id uuid, created_at timestamptz, endpoint text, http_request_id text, call_id text, session_id text,
    user_id text, language text, title text, status_code integer, error_code text, message text, details text
)
ON CONFLICT DO NOTHING;
