-- name: ping()$
SELECT 1;

-- name: put_script(script_hash, script_content)!
-- A use is noted to the hour, which also keeps a script that was long unused from being cleaned up just now.
WITH used AS (
    UPDATE scripts SET used_at = now() WHERE script_hash = :script_hash AND used_at < now() - interval '1 hour'
)
INSERT INTO scripts (script_hash, script_content, size_bytes)
VALUES (:script_hash, :script_content, octet_length(:script_content))
ON CONFLICT DO NOTHING;

-- name: script(script_hash)$
SELECT script_content FROM scripts WHERE script_hash = :script_hash;

-- name: put_artifact(script_hash, language, compile_options, artifact)!
INSERT INTO artifacts (script_hash, language, compile_options, artifact)
VALUES (:script_hash, :language, :compile_options, decode(:artifact, 'base64'))
ON CONFLICT DO NOTHING;

-- name: artifact(script_hash, language, compile_options)$
SELECT artifact FROM artifacts
WHERE script_hash = :script_hash AND language = :language AND compile_options = :compile_options;

-- name: put_function(user_id, language, title, script_hash, compile_options, updated_at)^
-- A text of its own is a version of its own; the same text again changes nothing but the time. What had to wait while
-- PostgreSQL was away does not replace what was registered meanwhile; within seconds the order of writing counts, since
-- clocks differ.
WITH function AS (
    INSERT INTO functions (user_id, language, title, type, script_hash, compile_options, created_at, updated_at)
    VALUES (:user_id, :language, :title, 'dynamic', :script_hash, :compile_options, :updated_at, :updated_at)
    ON CONFLICT (user_id, language, title) WHERE user_id IS NOT NULL DO UPDATE SET
        version = functions.version + (functions.script_hash <> excluded.script_hash)::integer,
        script_hash = excluded.script_hash,
        compile_options = excluded.compile_options,
        updated_at = greatest(functions.updated_at, excluded.updated_at)
    WHERE functions.updated_at <= excluded.updated_at OR excluded.updated_at > now() - interval '10 seconds'
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

-- name: held_by_user(owner, sessions_max, functions_max, language, title)^
-- How much a user has, the function of that name left out; who has more than asked for is not counted to the end.
SELECT
    (
        SELECT count(*) FROM (
            SELECT FROM sessions WHERE user_id = :owner AND expires_at > now() AND status = 'active'
            LIMIT :sessions_max
        ) AS live
    ) AS sessions,
    (
        SELECT count(*) FROM (
            SELECT FROM functions WHERE user_id = :owner AND (language, title) <> (:language, :title)
            LIMIT :functions_max
        ) AS registered
    ) AS functions;

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

-- name: function_hash(language, title, owner)$
SELECT script_hash FROM functions WHERE language = :language AND title = :title AND user_id = :owner;

-- name: count_functions(owner, language, user_id, type)$
SELECT count(*) FROM (
    SELECT * FROM functions WHERE user_id = :owner
    UNION ALL
    SELECT * FROM functions AS predefined WHERE user_id IS NULL AND NOT EXISTS (
        SELECT FROM functions AS own
        WHERE own.user_id = :owner AND (own.language, own.title) = (predefined.language, predefined.title)
    )
) AS visible
WHERE (:language::text IS NULL OR language = :language)
    AND (:user_id::text IS NULL OR user_id = :user_id)
    AND (:type::text IS NULL OR type = :type);

-- name: functions(owner, language, user_id, type, per_page, skipped)
-- Without a sort of all that the user has: only the page's rows are kept in order.
SELECT * FROM (
    SELECT * FROM functions WHERE user_id = :owner
    UNION ALL
    SELECT * FROM functions AS predefined WHERE user_id IS NULL AND NOT EXISTS (
        SELECT FROM functions AS own
        WHERE own.user_id = :owner AND (own.language, own.title) = (predefined.language, predefined.title)
    )
) AS visible
WHERE (:language::text IS NULL OR language = :language)
    AND (:user_id::text IS NULL OR user_id = :user_id)
    AND (:type::text IS NULL OR type = :type)
ORDER BY language, title
LIMIT :per_page OFFSET :skipped;

-- name: put_session(request_id, user_id, language, title, script_hash, compile_options, context, isolation, timeout_ms, retain_session, compile_status, params_schema, status, created_at, expires_at)!
-- Its executions, or its end, may have been written before it, by a process that was faster when PostgreSQL came back.
INSERT INTO sessions (
    request_id, user_id, language, title, script_hash, compile_options, context, isolation, timeout_ms,
    retain_session, compile_status, params_schema, status, created_at, expires_at, execution_count, uncounted, last_executed_at
)
SELECT
    :request_id, :user_id, :language, :title, :script_hash, :compile_options, :context, :isolation, :timeout_ms,
    :retain_session, :compile_status, :params_schema,
    coalesce((SELECT status FROM session_ends WHERE request_id = :request_id), :status),
    :created_at, :expires_at, count(*), count(*) FILTER (WHERE NOT counted), max(created_at)
FROM request_logs WHERE session_id = :request_id AND executed AND created_at >= :created_at
ON CONFLICT DO NOTHING;

-- name: session(request_id)^
SELECT * FROM sessions WHERE request_id = :request_id;

-- name: end_session(status, request_id)$
-- Whether it was this that ended it. The row of a session that was begun while PostgreSQL was away may still wait.
WITH known AS (
    SELECT request_id, status FROM sessions WHERE request_id = :request_id FOR UPDATE
), ended AS (
    UPDATE sessions SET status = :status FROM known
    WHERE sessions.request_id = known.request_id AND known.status = 'active'
    RETURNING sessions.request_id
), early AS (
    INSERT INTO session_ends (request_id, status)
    SELECT :request_id, :status WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT DO NOTHING
    RETURNING request_id
)
SELECT EXISTS (SELECT FROM ended) OR EXISTS (SELECT FROM early);

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

-- name: lock_log()$
-- Batches of the log are written one after the other: each sees what the one before wrote, whichever process it was.
SELECT pg_advisory_xact_lock(hashtext('log batches'));

-- name: ensure_log_partitions(months_ahead)$
SELECT meta.ensure_log_partitions(:months_ahead);

-- name: drop_log_partitions(days)$
SELECT meta.drop_log_partitions(:days);

-- name: delete_old_requests(days, batch)!
-- Rows that came for a month without a partition.
DELETE FROM request_logs_default WHERE (id, created_at) IN (
    SELECT id, created_at FROM request_logs_default WHERE created_at < now() - make_interval(days => :days)
    ORDER BY created_at LIMIT :batch
);

-- name: delete_old_errors(days, batch)!
DELETE FROM error_logs WHERE (id, created_at) IN (
    SELECT id, created_at FROM error_logs WHERE created_at < now() - make_interval(days => :days)
    ORDER BY created_at LIMIT :batch
);

-- name: delete_old_times(days, batch)!
DELETE FROM analytics.hourly_times WHERE (hour, language, measure, bucket) IN (
    SELECT hour, language, measure, bucket FROM analytics.hourly_times
    WHERE hour < now() - make_interval(days => :days) ORDER BY hour LIMIT :batch
);

-- name: delete_old_users(days, batch)!
DELETE FROM analytics.daily_users WHERE (day, language, user_id) IN (
    SELECT day, language, user_id FROM analytics.daily_users
    WHERE day < (now() - make_interval(days => :days))::date ORDER BY day LIMIT :batch
);

-- name: delete_old_session_ends(days, batch)!
DELETE FROM session_ends WHERE request_id IN (
    SELECT request_id FROM session_ends WHERE created_at < now() - make_interval(days => :days)
    ORDER BY created_at LIMIT :batch
);

-- name: delete_unused_scripts(days, batch)!
-- Scripts, with their artifacts, that neither a session nor any version of a function refers to.
WITH unused AS (
    SELECT script_hash FROM scripts
    WHERE used_at < now() - make_interval(days => :days)
        AND NOT EXISTS (SELECT FROM sessions WHERE sessions.script_hash = scripts.script_hash)
        AND NOT EXISTS (SELECT FROM functions WHERE functions.script_hash = scripts.script_hash)
        AND NOT EXISTS (SELECT FROM function_versions WHERE function_versions.script_hash = scripts.script_hash)
    ORDER BY used_at LIMIT :batch FOR UPDATE SKIP LOCKED
), their_artifacts AS (
    DELETE FROM artifacts USING unused WHERE artifacts.script_hash = unused.script_hash
)
DELETE FROM scripts USING unused WHERE scripts.script_hash = unused.script_hash;

-- name: roll_up(batch)^
-- Moves what is pending into the hours, in one statement: a row is in either, never in both or none.
WITH taken AS (
    DELETE FROM analytics.pending
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM analytics.pending LIMIT :batch))
    RETURNING *, date_trunc('hour', created_at, 'UTC') AS hour
), counted AS (
    INSERT INTO analytics.hourly AS h
    SELECT
        hour, endpoint, language, count(*), count(*) FILTER (WHERE error_code IS NOT NULL),
        count(*) FILTER (WHERE cached), coalesce(sum(execution_time_ms) FILTER (WHERE cached), 0), sum(duration_ms),
        max(duration_ms), count(*) FILTER (WHERE ran), count(*) FILTER (WHERE cold), sum(cpu_time_ms),
        sum(memory_usage_bytes), max(memory_usage_bytes), sum(bytes_in), sum(bytes_out), sum(fuel)
    FROM taken GROUP BY hour, endpoint, language
    ON CONFLICT (hour, endpoint, language) DO UPDATE SET
        calls = h.calls + excluded.calls,
        errors = h.errors + excluded.errors,
        cache_hits = h.cache_hits + excluded.cache_hits,
        saved_ms = h.saved_ms + excluded.saved_ms,
        duration_ms = h.duration_ms + excluded.duration_ms,
        duration_ms_max = greatest(h.duration_ms_max, excluded.duration_ms_max),
        runs = h.runs + excluded.runs,
        cold_starts = h.cold_starts + excluded.cold_starts,
        cpu_time_ms = h.cpu_time_ms + excluded.cpu_time_ms,
        memory_usage_bytes = h.memory_usage_bytes + excluded.memory_usage_bytes,
        memory_usage_bytes_max = greatest(h.memory_usage_bytes_max, excluded.memory_usage_bytes_max),
        bytes_in = h.bytes_in + excluded.bytes_in,
        bytes_out = h.bytes_out + excluded.bytes_out,
        fuel = h.fuel + excluded.fuel
), timed AS (
    INSERT INTO analytics.hourly_times AS h
    SELECT hour, language, measure, analytics.bucket(ms), count(*)
    FROM taken
    CROSS JOIN LATERAL (
        VALUES ('call', duration_ms), ('run', CASE WHEN NOT cached THEN execution_time_ms END)
    ) AS times (measure, ms)
    WHERE endpoint = 'execute' AND ms IS NOT NULL
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (hour, language, measure, bucket) DO UPDATE SET calls = h.calls + excluded.calls
), failed AS (
    INSERT INTO analytics.hourly_errors AS h
    SELECT hour, endpoint, language, error_code, status_code, count(*), max(created_at)
    FROM taken WHERE error_code IS NOT NULL
    GROUP BY hour, endpoint, language, error_code, status_code
    ON CONFLICT (hour, endpoint, language, error_code, status_code) DO UPDATE SET
        errors = h.errors + excluded.errors,
        last_seen = greatest(h.last_seen, excluded.last_seen)
), seen AS (
    INSERT INTO analytics.daily_users
    SELECT DISTINCT (hour AT TIME ZONE 'UTC')::date, language, user_id FROM taken WHERE endpoint = 'execute'
    ON CONFLICT DO NOTHING
)
SELECT count(*) AS moved, coalesce(array_agg(DISTINCT hour), '{}') AS hours FROM taken;

-- name: write_requests(rows)!
-- One parameter holds all rows as JSON; documents come as text in it, so that what json allows and text does not
-- ("\u0000") stays unread. What is there already is left alone, and only what is new counts for its session.
WITH written AS (
    INSERT INTO request_logs (
        id, created_at, endpoint, http_request_id, call_id, traceparent, session_id, user_id, language, title,
        script_hash, request_payload, response_data, status, status_code, error_code, cached, executed, duration_ms,
        execution_time_ms, runtime_metrics, counted
    )
    SELECT
        id, created_at, endpoint, http_request_id, call_id, traceparent, session_id, user_id, language, title,
        script_hash, request_payload::json, response_data::json, status, status_code, error_code, cached, executed,
        duration_ms, execution_time_ms, runtime_metrics::json, counted
    FROM json_to_recordset(:rows::json) AS r (
        id uuid, created_at timestamptz, endpoint text, http_request_id text, call_id text, traceparent text,
        session_id text, user_id text, language text, title text, script_hash text, request_payload text,
        response_data text, status text, status_code integer, error_code text, cached boolean, executed boolean,
        duration_ms double precision, execution_time_ms double precision, runtime_metrics text, counted boolean
    )
    ON CONFLICT DO NOTHING
    RETURNING session_id, created_at, executed, counted
), counted AS (
    SELECT session_id, count(*) AS executions, count(*) FILTER (WHERE NOT written.counted) AS uncounted,
        max(created_at) AS last_executed_at
    FROM written WHERE executed GROUP BY session_id
)
UPDATE sessions SET
    execution_count = execution_count + counted.executions,
    uncounted = sessions.uncounted + counted.uncounted,
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

-- name: keep_percentiles(period, hours)!
INSERT INTO analytics.kept_percentiles
SELECT :period, fresh.* FROM analytics.percentiles(
    :period, ARRAY(SELECT DISTINCT date_trunc(:period, hour, 'UTC') FROM unnest(:hours::timestamptz[]) AS hour), false
) AS fresh
ON CONFLICT (period, starts, language, measure) DO UPDATE SET
    calls = excluded.calls, p50_ms = excluded.p50_ms, p95_ms = excluded.p95_ms, p99_ms = excluded.p99_ms;
