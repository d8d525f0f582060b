-- name: ping()$
-- Check that the database answers.
SELECT 1;

-- name: put_script(script_hash, script_content)!
-- Store a script by its hash, and record that it was used.
-- The time of use has a resolution of one hour. It also protects a script that was unused for long from a cleanup
-- that runs now.
WITH used AS (
    UPDATE scripts SET used_at = now() WHERE script_hash = :script_hash AND used_at < now() - interval '1 hour'
)
INSERT INTO scripts (script_hash, script_content, size_bytes)
VALUES (:script_hash, :script_content, octet_length(:script_content))
ON CONFLICT DO NOTHING;

-- name: script(script_hash)$
-- Return the text of a script.
SELECT script_content FROM scripts WHERE script_hash = :script_hash;

-- name: put_artifact(script_hash, language, compile_options, artifact)!
-- Store a compiled script.
INSERT INTO artifacts (script_hash, language, compile_options, artifact)
VALUES (:script_hash, :language, :compile_options, decode(:artifact, 'base64'))
ON CONFLICT DO NOTHING;

-- name: artifact(script_hash, language, compile_options)$
-- Return a compiled script.
SELECT artifact FROM artifacts
WHERE script_hash = :script_hash AND language = :language AND compile_options = :compile_options;

-- name: put_function(user_id, language, title, script_hash, compile_options, updated_at, packages, environment)^
-- Register a user's function, or replace its script, and return the version if it is new.
-- Another text, other options or packages make a new version, which keeps all else of the one before; the same again
-- changes only the time. A write that waited while PostgreSQL was away does not replace a later registration. Within ten
-- seconds the order of writing decides, because clocks differ. Triggers number versions and fill them from `functions`.
WITH function AS (
    INSERT INTO functions (
        user_id, language, title, type, script_hash, compile_options, created_at, updated_at, packages, environment
    )
    VALUES (
        :user_id, :language, :title, 'dynamic', :script_hash, :compile_options, :updated_at, :updated_at,
        coalesce(:packages::text[], '{}'), :environment
    )
    ON CONFLICT (user_id, language, title) WHERE user_id IS NOT NULL DO UPDATE SET
        version = functions.version + (
            (functions.script_hash, functions.compile_options::jsonb, functions.packages, functions.environment)
            IS DISTINCT FROM
            (excluded.script_hash, excluded.compile_options::jsonb, excluded.packages, excluded.environment)
        )::integer,
        script_hash = excluded.script_hash,
        compile_options = excluded.compile_options,
        packages = excluded.packages,
        environment = excluded.environment,
        updated_at = greatest(functions.updated_at, excluded.updated_at)
    WHERE functions.updated_at <= excluded.updated_at OR excluded.updated_at > now() - interval '10 seconds'
    RETURNING function_id, version, script_hash
)
INSERT INTO function_versions (function_id, version, script_hash)
SELECT function_id, version, script_hash FROM function
ON CONFLICT DO NOTHING
RETURNING version;

-- name: put_version(user_id, language, title, based_on, script_hash, compile_options, description, tags, schema, enforce_result, examples, defaults, packages, environment)$
-- Make a version of a user's function, and return its number.
-- Nothing is made if the newest version is not `based_on` any more; 0: there is no function.
WITH function AS (
    INSERT INTO functions (
        user_id, language, title, type, script_hash, compile_options, description, tags, schema, enforce_result,
        examples, defaults, packages, environment
    )
    SELECT
        :user_id, :language, :title, 'dynamic', :script_hash, :compile_options, :description, :tags::text[], :schema,
        :enforce_result, :examples, :defaults, :packages::text[], :environment
    WHERE :based_on = 0 OR EXISTS (
        SELECT FROM functions WHERE (user_id, language, title, version) = (:user_id, :language, :title, :based_on)
    )
    ON CONFLICT (user_id, language, title) WHERE user_id IS NOT NULL DO UPDATE SET
        version = functions.version + 1,
        script_hash = excluded.script_hash,
        compile_options = excluded.compile_options,
        description = excluded.description,
        tags = excluded.tags,
        schema = excluded.schema,
        enforce_result = excluded.enforce_result,
        examples = excluded.examples,
        defaults = excluded.defaults,
        packages = excluded.packages,
        environment = excluded.environment,
        updated_at = greatest(functions.updated_at, excluded.updated_at)
    WHERE functions.version = :based_on
    RETURNING function_id, version, script_hash
)
INSERT INTO function_versions (function_id, version, script_hash)
SELECT function_id, version, script_hash FROM function
RETURNING version;

-- name: delete_function(language, title, owner)!
-- Delete a user's function and its aliases.
-- Its versions stay until `delete_old_versions` removes them.
WITH gone AS (
    DELETE FROM functions WHERE language = :language AND title = :title AND user_id = :owner RETURNING function_id
)
UPDATE function_versions SET user_id = :owner, deleted_at = now() FROM gone
WHERE function_versions.function_id = gone.function_id;

-- name: lock_function(language, title, owner)^
-- Return a user's function, and let no other transaction change it, its versions or its aliases.
SELECT function_id, version FROM functions
WHERE language = :language AND title = :title AND user_id = :owner FOR UPDATE;

-- name: version_use(function_id, version)^
-- Return whether a version is there, whether it is the only one, and whether an alias names it.
SELECT
    EXISTS (SELECT FROM function_versions WHERE (function_id, version) = (:function_id, :version)) AS known,
    NOT EXISTS (SELECT FROM function_versions WHERE function_id = :function_id AND version <> :version) AS only_one,
    EXISTS (
        SELECT FROM function_aliases
        WHERE function_id = :function_id AND :version IN (version, canary_version)
    ) AS named;

-- name: delete_version(function_id, version)!
-- Delete a version.
DELETE FROM function_versions WHERE (function_id, version) = (:function_id, :version);

-- name: show_newest_version(function_id)!
-- Make the row of a function show its newest version, after a version was deleted.
UPDATE functions SET
    version = newest.version, script_hash = newest.script_hash, compile_options = newest.compile_options,
    description = newest.description, tags = newest.tags, schema = newest.schema,
    enforce_result = newest.enforce_result, examples = newest.examples, defaults = newest.defaults,
    packages = newest.packages, environment = newest.environment,
    updated_at = greatest(functions.updated_at + interval '1 microsecond', now())
FROM (
    SELECT * FROM function_versions WHERE function_id = :function_id ORDER BY version DESC LIMIT 1
) AS newest
WHERE functions.function_id = newest.function_id;

-- name: versions(language, title, owner, before, most)
-- Return versions of a function, the newest first, each with the aliases that name it.
-- A user's function takes precedence over a predefined one of the same name.
SELECT v.version, v.script_hash, v.created_at, ARRAY(
    SELECT alias FROM function_aliases a
    WHERE a.function_id = v.function_id AND v.version IN (a.version, a.canary_version) ORDER BY alias
) AS aliases
FROM function_versions v
WHERE v.function_id = (
    SELECT function_id FROM functions
    WHERE language = :language AND title = :title AND (user_id = :owner OR user_id IS NULL)
    ORDER BY user_id NULLS LAST LIMIT 1
) AND v.version < :before
ORDER BY v.version DESC LIMIT :most;

-- name: put_alias(function_id, alias, version, canary_version, canary_weight)$
-- Set an alias, and return whether it is new.
INSERT INTO function_aliases (function_id, alias, version, canary_version, canary_weight)
VALUES (:function_id, :alias, :version, :canary_version, :canary_weight)
ON CONFLICT (function_id, alias) DO UPDATE SET
    version = excluded.version, canary_version = excluded.canary_version, canary_weight = excluded.canary_weight
RETURNING xmax = 0;

-- name: delete_alias(language, title, owner, alias)!
-- Delete an alias of a user's function.
DELETE FROM function_aliases WHERE alias = :alias AND function_id = (
    SELECT function_id FROM functions WHERE language = :language AND title = :title AND user_id = :owner
);

-- name: aliases(function_id)
-- Return the aliases of a function.
SELECT alias, version, canary_version, canary_weight FROM function_aliases
WHERE function_id = :function_id ORDER BY alias;

-- name: function_targets(language, title, owner)^
-- Return what references to a function may name: its newest version and its aliases.
-- A user's function takes precedence over a predefined one of the same name. The owner null sees predefined ones only.
SELECT f.function_id, f.user_id, f.version, f.updated_at, (
    SELECT coalesce(json_object_agg(a.alias, json_build_object(
        'version', a.version, 'canary_version', a.canary_version, 'canary_weight', a.canary_weight
    )), '{}') FROM function_aliases a WHERE a.function_id = f.function_id
) AS aliases
FROM functions f
WHERE language = :language AND title = :title AND (user_id = :owner OR user_id IS NULL)
ORDER BY user_id NULLS LAST LIMIT 1;

-- name: function_version(function_id, version)^
-- Return a version of a function with its script.
SELECT
    f.function_id, f.user_id, f.language, f.title, f.created_at, f.updated_at, f.version AS newest, v.version,
    v.script_hash, v.compile_options, v.description, v.tags, v.schema, v.enforce_result, v.examples, v.defaults,
    v.packages, v.environment, s.script_content
FROM functions f JOIN function_versions v USING (function_id) JOIN scripts s ON s.script_hash = v.script_hash
WHERE f.function_id = :function_id AND v.version = :version;

-- name: delete_old_versions(days, batch)!
-- Delete versions of functions that were deleted long ago.
DELETE FROM function_versions WHERE (function_id, version) IN (
    SELECT function_id, version FROM function_versions WHERE deleted_at < now() - make_interval(days => :days)
    ORDER BY deleted_at LIMIT :batch FOR UPDATE SKIP LOCKED
);

-- name: held_by_user(owner, sessions_max, functions_max, language, title)^
-- Count the active sessions and the functions of a user, without the named function, each up to its limit.
SELECT
    (
        SELECT count(*) FROM (
            SELECT FROM sessions
            WHERE user_id = :owner AND expires_at > now() AND status = 'active' AND NOT by_name
            LIMIT :sessions_max
        ) AS live
    ) AS sessions,
    least(
        :functions_max,
        (SELECT coalesce(sum(functions), 0) FROM function_counts WHERE user_id = :owner)
        - (SELECT count(*) FROM functions WHERE (user_id, language, title) = (:owner, :language, :title))
    ) AS functions;

-- name: put_predefined_function(language, title, description, tags, schema, examples, script_hash)^
-- Register a predefined function, and return its version if it is new. Any difference makes a new version.
WITH function AS (
    INSERT INTO functions (language, title, type, description, tags, schema, examples, script_hash)
    VALUES (:language, :title, 'predefined', :description, :tags, :schema, :examples, :script_hash)
    ON CONFLICT (language, title) WHERE user_id IS NULL DO UPDATE SET
        version = functions.version + 1,
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

-- name: own_content(language, title, owner)^
-- Return what the newest version of a user's function consists of.
SELECT script_hash, compile_options, description, tags, schema, enforce_result, examples, defaults, packages,
    environment FROM functions
WHERE language = :language AND title = :title AND user_id = :owner;

-- name: count_functions(owner, language, user_id, type, words, tag)$
-- Count the functions that a user sees and that match the filters.
-- A user's functions are counted by triggers as they come and go: a list asks for its total with each page, and would
-- read all of them each time. Only a search has to look at each. The predefined ones are few, and not the users':
-- they are counted here. One is hidden by the user's function of the same name.
SELECT CASE WHEN :words::text IS NULL AND :tag::text IS NULL THEN (
    SELECT coalesce(sum(functions), 0) FROM function_counts
    WHERE user_id = :owner AND (:language::text IS NULL OR language = :language)
        AND coalesce(:user_id, :owner) = :owner AND coalesce(:type, 'dynamic') = 'dynamic'
) ELSE (
    SELECT count(*) FROM functions AS f
    WHERE user_id = :owner AND function_chosen(f, :language, :user_id, :type, :words, :tag)
) END + (
    SELECT count(*) FROM functions AS f
    WHERE user_id IS NULL AND function_chosen(f, :language, :user_id, :type, :words, :tag) AND NOT EXISTS (
        SELECT FROM functions AS own WHERE own.user_id = :owner AND (own.language, own.title) = (f.language, f.title)
    )
);

-- name: functions(owner, language, user_id, type, words, tag, after_language, after_title, per_page, skipped)
-- Return one page of the functions that `count_functions` counts, after a name.
-- Each part is read in the order of its index, as far as the page goes: the functions beyond it cost nothing.
SELECT * FROM (
    (
        SELECT f.* FROM functions AS f
        WHERE user_id = :owner AND (language, title) > (:after_language, :after_title)
            AND function_chosen(f, :language, :user_id, :type, :words, :tag)
        ORDER BY language, title LIMIT :per_page + :skipped
    )
    UNION ALL
    (
        SELECT f.* FROM functions AS f
        WHERE user_id IS NULL AND (language, title) > (:after_language, :after_title) AND NOT EXISTS (
            SELECT FROM functions AS own WHERE own.user_id = :owner AND (own.language, own.title) = (f.language, f.title)
        ) AND function_chosen(f, :language, :user_id, :type, :words, :tag)
        ORDER BY language, title LIMIT :per_page + :skipped
    )
) AS visible
ORDER BY language, title
LIMIT :per_page OFFSET :skipped;

-- name: begin_session(request_id, user_id, language, title, script_hash, script_content, compile_options, context, isolation, timeout_ms, retain_session, compile_status, params_schema, result_schema, created_at, expires_at, environment, artifact_options, artifact, registers, plain, packages, sessions_max, functions_max)^
-- Begin a session with all its rows, unless its user has all they may have. See the function.
SELECT ended, replaces, at_bound FROM meta.begin_session(
    :request_id, :user_id, :language, :title, :script_hash, :script_content, :compile_options, :context, :isolation,
    :timeout_ms, :retain_session, :compile_status, :params_schema, :result_schema, :created_at, :expires_at,
    :environment, :artifact_options, :artifact, :registers, :plain, :packages, :sessions_max, :functions_max
);

-- name: put_session(request_id, user_id, language, title, script_hash, compile_options, context, isolation, timeout_ms, retain_session, compile_status, params_schema, status, created_at, expires_at, environment)!
-- Store a new session.
-- Its executions or its end may be there already: another process may have written them first when PostgreSQL came
-- back.
INSERT INTO sessions (
    request_id, user_id, language, title, script_hash, compile_options, context, isolation, timeout_ms,
    retain_session, compile_status, params_schema, status, created_at, expires_at, environment,
    execution_count, uncounted, last_executed_at
)
SELECT
    :request_id, :user_id, :language, :title, :script_hash, :compile_options, :context, :isolation, :timeout_ms,
    :retain_session, :compile_status, :params_schema,
    coalesce((SELECT status FROM session_ends WHERE request_id = :request_id), :status),
    :created_at, :expires_at, :environment, count(*), count(*) FILTER (WHERE NOT counted), max(created_at)
FROM request_logs
WHERE user_id = :user_id AND endpoint = 'execute' AND created_at >= :created_at AND session_id = :request_id AND executed
ON CONFLICT DO NOTHING;

-- name: mark_session(request_id, by_name, result_schema)!
-- Write what few sessions have: that they are behind executions by name, and the schema of their results.
-- `put_session` lacks these, because those of an earlier release may wait in the spool.
UPDATE sessions SET by_name = :by_name, result_schema = :result_schema WHERE request_id = :request_id;

-- name: session(request_id)^
-- Return a session.
SELECT * FROM sessions WHERE request_id = :request_id;

-- name: end_session(status, request_id)$
-- End a session, and return whether this call ended it.
-- A session that began while PostgreSQL was away may have no row yet. Then `session_ends` records its end.
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
-- Count the active sessions.
SELECT count(*) FROM sessions WHERE status = 'active' AND expires_at > now();

-- name: delete_expired_sessions(batch)!
-- Delete sessions that expired more than a day ago.
-- The batch is bounded, so that cleaning up never holds many locks.
DELETE FROM sessions WHERE request_id IN (
    SELECT request_id FROM sessions WHERE expires_at < now() - interval '1 day'
    ORDER BY expires_at LIMIT :batch FOR UPDATE SKIP LOCKED
);

-- name: try_lock(name)$
-- Try to take a named lock until the transaction ends, so that one process at a time does the guarded work.
SELECT pg_try_advisory_xact_lock(hashtext(:name));

-- name: lock_log()$
-- Wait for the lock of the log, which the transaction holds until it ends.
-- Batches of all processes are written one after the other, so each sees the rows of the one before.
SELECT pg_advisory_xact_lock(hashtext('log batches'));

-- name: ensure_log_partitions(months_ahead)$
-- Create the partitions of the log for the coming months.
SELECT meta.ensure_log_partitions(:months_ahead);

-- name: drop_log_partitions(days)$
-- Drop the partitions of the log that are older than the retention time.
SELECT meta.drop_log_partitions(:days);

-- name: delete_old_requests(days, batch)!
-- Delete old rows of months without a partition.
DELETE FROM request_logs_default WHERE (id, created_at) IN (
    SELECT id, created_at FROM request_logs_default WHERE created_at < now() - make_interval(days => :days)
    ORDER BY created_at LIMIT :batch
);

-- name: delete_old_errors(days, batch)!
-- Delete old rows of the error log.
DELETE FROM error_logs WHERE (id, created_at) IN (
    SELECT id, created_at FROM error_logs WHERE created_at < now() - make_interval(days => :days)
    ORDER BY created_at LIMIT :batch
);

-- name: delete_old_times(days, batch)!
-- Delete old latency buckets of the statistics.
DELETE FROM analytics.hourly_times WHERE (hour, language, measure, bucket) IN (
    SELECT hour, language, measure, bucket FROM analytics.hourly_times
    WHERE hour < now() - make_interval(days => :days) ORDER BY hour LIMIT :batch
);

-- name: delete_old_users(days, batch)!
-- Delete old daily users of the statistics.
DELETE FROM analytics.daily_users WHERE (day, language, user_id) IN (
    SELECT day, language, user_id FROM analytics.daily_users
    WHERE day < (now() - make_interval(days => :days))::date ORDER BY day LIMIT :batch
);

-- name: delete_old_use(days, batch)!
-- Delete old figures of users.
DELETE FROM analytics.hourly_use WHERE (user_id, hour, error_code) IN (
    SELECT user_id, hour, error_code FROM analytics.hourly_use
    WHERE hour < now() - make_interval(days => :days) ORDER BY hour LIMIT :batch
);

-- name: delete_old_session_ends(days, batch)!
-- Delete old ends of sessions that were recorded before the row of their session.
DELETE FROM session_ends WHERE request_id IN (
    SELECT request_id FROM session_ends WHERE created_at < now() - make_interval(days => :days)
    ORDER BY created_at LIMIT :batch
);

-- name: delete_unused_scripts(days, batch)!
-- Delete unused scripts and their artifacts.
-- A script is unused if no session and no version of a function refers to it.
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

-- name: delete_unused_locks(days, batch)!
-- Delete the locks of declarations that were used long ago.
DELETE FROM kept_locks WHERE (user_id, declaration) IN (
    SELECT user_id, declaration FROM kept_locks WHERE used_at < now() - make_interval(days => :days)
    ORDER BY used_at LIMIT :batch FOR UPDATE SKIP LOCKED
);

-- name: delete_unused_environments(days, batch)!
-- Delete environments that no session, no version of a function and no kept lock names.
DELETE FROM environments WHERE digest IN (
    SELECT digest FROM environments
    WHERE used_at < now() - make_interval(days => :days) AND state IN ('absent', 'failed')
        AND NOT EXISTS (SELECT FROM sessions WHERE sessions.environment = environments.digest)
        AND NOT EXISTS (SELECT FROM function_versions WHERE function_versions.environment = environments.digest)
        AND NOT EXISTS (SELECT FROM kept_locks WHERE kept_locks.digest = environments.digest)
    ORDER BY used_at LIMIT :batch FOR UPDATE SKIP LOCKED
);

-- name: roll_up(batch)^
-- Move pending rows into the hourly statistics.
-- One statement does it, so a row is counted exactly once.
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
), used AS (
    INSERT INTO analytics.hourly_use AS u
    SELECT
        user_id, hour, coalesce(error_code, ''), count(*), count(*) FILTER (WHERE cached), sum(duration_ms),
        sum(cpu_time_ms), sum(bytes_in), sum(bytes_out)
    FROM taken WHERE endpoint = 'execute' GROUP BY 1, 2, 3
    ON CONFLICT (user_id, hour, error_code) DO UPDATE SET
        executions = u.executions + excluded.executions,
        cache_hits = u.cache_hits + excluded.cache_hits,
        duration_ms = u.duration_ms + excluded.duration_ms,
        cpu_time_ms = u.cpu_time_ms + excluded.cpu_time_ms,
        bytes_in = u.bytes_in + excluded.bytes_in,
        bytes_out = u.bytes_out + excluded.bytes_out
)
SELECT count(*) AS moved, coalesce(array_agg(DISTINCT hour), '{}') AS hours FROM taken;

-- name: write_requests(rows)$
-- Write a batch of rows to the request log, see `meta.write_requests`.
SELECT meta.write_requests(:rows);

-- name: write_errors(rows)!
-- Write a batch of rows to the error log. Rows that are there already are skipped.
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
-- Compute the percentiles of the given hours again, and store them.
INSERT INTO analytics.kept_percentiles
SELECT :period, fresh.* FROM analytics.percentiles(
    :period, ARRAY(SELECT DISTINCT date_trunc(:period, hour, 'UTC') FROM unnest(:hours::timestamptz[]) AS hour), false
) AS fresh
ON CONFLICT (period, starts, language, measure) DO UPDATE SET
    calls = excluded.calls, p50_ms = excluded.p50_ms, p95_ms = excluded.p95_ms, p99_ms = excluded.p99_ms;

-- name: api_key(key_hash)^
-- Return an API key, expired or not, and record its use.
-- The time of use has a resolution of one minute, so that a key in use costs few writes.
WITH used AS (
    UPDATE api_keys SET last_used_at = now()
    WHERE key_hash = :key_hash AND expires_at > now()
        AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
)
SELECT key_id::text, key_hash, user_id, name, scopes, functions, created_at, expires_at, last_used_at
FROM api_keys WHERE key_hash = :key_hash;

-- name: lock_api_keys(user_id)$
-- Wait for the lock of a user's keys, which the transaction holds until it ends. So two new keys are counted.
SELECT pg_advisory_xact_lock(hashtext('api keys'), hashtext(:user_id));

-- name: put_api_key(key_id, key_hash, user_id, name, scopes, functions, created_at, expires_at, most)!
-- Store an API key, unless the user has `most`. If so, the expired ones make room.
WITH gone AS (
    DELETE FROM api_keys WHERE user_id = :user_id AND expires_at <= now()
        AND (SELECT count(*) FROM api_keys WHERE user_id = :user_id) >= :most
    RETURNING key_id
)
INSERT INTO api_keys (key_id, key_hash, user_id, name, scopes, functions, created_at, expires_at)
SELECT :key_id, :key_hash, :user_id, :name, :scopes::text[], :functions::text[], :created_at, :expires_at
WHERE (SELECT count(*) FROM api_keys WHERE user_id = :user_id) - (SELECT count(*) FROM gone) < :most;

-- name: api_keys(owner)
-- Return the API keys of a user, the newest first.
SELECT key_id::text, key_hash, user_id, name, scopes, functions, created_at, expires_at, last_used_at
FROM api_keys WHERE user_id = :owner ORDER BY created_at DESC, key_id;

-- name: delete_api_key(key_id, owner)!
-- Delete a user's API key.
DELETE FROM api_keys WHERE key_id = :key_id AND user_id = :owner;

-- name: delete_expired_api_keys(days, batch)!
-- Delete API keys that expired long ago.
DELETE FROM api_keys WHERE key_id IN (
    SELECT key_id FROM api_keys WHERE expires_at < now() - make_interval(days => :days)
    ORDER BY expires_at LIMIT :batch FOR UPDATE SKIP LOCKED
);

-- name: names_environment(owner, digest)$
-- Return whether a session or a version of a user's names an environment.
SELECT EXISTS (SELECT FROM sessions WHERE environment = :digest AND user_id = :owner) OR EXISTS (
    SELECT FROM function_versions v JOIN functions f USING (function_id)
    WHERE v.environment = :digest AND f.user_id = :owner
);

-- name: kept_lock(user_id, declaration)^
-- Return the environment that a declaration of a user has, and record that both are used.
WITH used AS (
    UPDATE kept_locks SET used_at = now()
    WHERE user_id = :user_id AND declaration = :declaration AND used_at < now() - interval '1 hour'
), used_environment AS (
    UPDATE environments SET used_at = now() FROM kept_locks k
    WHERE k.user_id = :user_id AND k.declaration = :declaration AND environments.digest = k.digest
        AND environments.used_at < now() - interval '30 seconds'
)
SELECT e.digest, e.state FROM kept_locks k JOIN environments e USING (digest)
WHERE k.user_id = :user_id AND k.declaration = :declaration;

-- name: claim_lock(user_id, declaration, seconds)!
-- Take the lease to resolve a declaration, unless another process has it or has resolved it.
INSERT INTO kept_locks AS k (user_id, declaration, lease)
VALUES (:user_id, :declaration, now() + make_interval(secs => :seconds))
ON CONFLICT (user_id, declaration) DO UPDATE SET lease = excluded.lease
WHERE k.digest IS NULL AND k.lease < now();

-- name: renew_lock(user_id, declaration, seconds)!
-- Lengthen the lease to resolve a declaration.
UPDATE kept_locks SET lease = now() + make_interval(secs => :seconds)
WHERE user_id = :user_id AND declaration = :declaration AND digest IS NULL;

-- name: release_lock(user_id, declaration)!
-- Give up the lease to resolve a declaration.
DELETE FROM kept_locks WHERE user_id = :user_id AND declaration = :declaration AND digest IS NULL;

-- name: keep_lock(user_id, declaration, digest)!
-- Keep the environment that a declaration has been resolved to.
INSERT INTO kept_locks AS k (user_id, declaration, digest) VALUES (:user_id, :declaration, :digest)
ON CONFLICT (user_id, declaration) DO UPDATE SET digest = excluded.digest, lease = NULL, used_at = now();

-- name: put_environment(digest, language, version, platform, lock, packages)!
-- Store a resolved environment, which is not built yet.
INSERT INTO environments (digest, language, version, platform, lock, packages)
VALUES (:digest, :language, :version, :platform, :lock, :packages)
ON CONFLICT DO NOTHING;

-- name: environment(digest)^
-- Return an environment, whatever its state.
SELECT digest, language, version, platform, lock, packages, bytes, built_ms, state FROM environments
WHERE digest = :digest;

-- name: build_state(digest)^
-- Return how far the build of an environment is.
SELECT state, build, failure FROM environments WHERE digest = :digest;

-- name: claim_build(digest, build, seconds)!
-- Take the lease to build an environment, unless it is ready or another process has the lease.
UPDATE environments SET
    state = 'building', build = :build, failure = NULL, parts = 0, lease = now() + make_interval(secs => :seconds)
WHERE digest = :digest AND (state IN ('absent', 'failed') OR (state = 'building' AND lease < now()));

-- name: renew_build(digest, build, seconds)!
-- Lengthen the lease to build an environment, unless another process has it now.
UPDATE environments SET lease = now() + make_interval(secs => :seconds)
WHERE digest = :digest AND build = :build AND state = 'building';

-- name: finish_build(digest, build, packages, bytes, stored_bytes, built_ms, parts)!
-- Make an environment ready: all its parts are stored. Nothing is changed if another process has the lease now.
UPDATE environments SET
    state = 'ready', packages = :packages, bytes = :bytes, stored_bytes = :stored_bytes, built_ms = :built_ms,
    parts = :parts, lease = NULL, used_at = now()
WHERE digest = :digest AND build = :build AND state = 'building';

-- name: fail_build(digest, build, failure)!
-- Record that a build failed, for those who wait for it.
UPDATE environments SET state = 'failed', failure = :failure, lease = NULL
WHERE digest = :digest AND build = :build AND state = 'building';

-- name: use_environment(digest)$
-- Return the build that made the parts of an environment, if it is ready, and record that these are used.
WITH used AS (
    UPDATE environments SET used_at = now() WHERE digest = :digest AND used_at < now() - interval '30 seconds'
)
SELECT build FROM environments WHERE digest = :digest AND state = 'ready';

-- name: lose_part(digest, build, part)!
-- Record that a part is lost which an environment should have. The next use builds it again.
UPDATE environments SET state = 'absent', stored_bytes = 0
WHERE digest = :digest AND build = :build AND state = 'ready' AND :part < parts;

-- name: evict_environments(most, batch)
-- Give up the parts of the environments that were used longest ago, until the rest has `most` bytes. Return them.
-- What is being sent was used within the last minutes. What is being built stays, unless its builder is long gone.
WITH ranked AS (
    SELECT digest, used_at, sum(stored_bytes) OVER (ORDER BY used_at DESC, digest) AS together
    FROM environments WHERE state = 'ready'
), old AS (
    SELECT digest FROM ranked WHERE together > :most AND used_at < now() - interval '2 minutes'
    UNION ALL
    SELECT digest FROM environments WHERE state = 'building' AND lease < now() - interval '10 minutes'
    LIMIT :batch
)
UPDATE environments AS e SET state = 'absent', stored_bytes = 0, parts = 0, lease = NULL FROM old
WHERE e.digest = old.digest AND (
    (e.state = 'ready' AND e.used_at < now() - interval '2 minutes')
    OR (e.state = 'building' AND e.lease < now() - interval '10 minutes')
)
RETURNING e.digest, e.build;

-- name: environments_bytes()$
-- Return the bytes of all parts of environments.
SELECT coalesce(sum(stored_bytes), 0)::bigint FROM environments WHERE state = 'ready';

-- name: put_part(digest, build, part, content)!
-- Store a part, unless another process has the lease to build now.
WITH own AS (
    SELECT digest FROM environments
    WHERE digest = :digest AND build = :build AND state = 'building' FOR UPDATE
)
INSERT INTO environment_parts (digest, build, part, content) SELECT digest, :build, :part, :content FROM own;

-- name: part(digest, build, part)$
-- Return a part of an environment.
SELECT content FROM environment_parts WHERE digest = :digest AND build = :build AND part = :part;

-- name: drop_parts(digest, build)!
-- Delete the parts that a build made.
DELETE FROM environment_parts WHERE digest = :digest AND build = :build;

-- name: executions(owner, language, title, versions, status, since, before, before_id, per_page, scanned, bytes)
-- Return one page of a user's executions after a place, the newest first, and one more row if there is more.
-- The work of a page is bounded. It looks at no more than `scanned` rows: the last of them comes as a row that only
-- has a place, if the page is not full. Documents beyond `bytes` are left out: `fits` is false.
WITH page AS MATERIALIZED (
    SELECT
        *,
        row_number() OVER w = 1
            OR sum(octet_length(request_payload::text) + octet_length(response_data::text)) OVER w <= :bytes AS fits
    FROM (
        SELECT
            id, created_at, http_request_id, session_id, language, title, version, status_code, error_code, cached,
            duration_ms, execution_time_ms, coalesce(request_payload, '{}') AS request_payload,
            coalesce(response_data, 'null') AS response_data, runtime_metrics
        FROM (
            SELECT * FROM request_logs
            WHERE user_id = :owner AND endpoint = 'execute' AND created_at >= :since::timestamptz
                AND created_at <= :before::timestamptz
                AND (created_at, id) < (:before::timestamptz, :before_id::uuid)
            ORDER BY created_at DESC, id DESC LIMIT :scanned
        ) AS newest
        WHERE (:language::text IS NULL OR (language, title) = (:language, :title))
            AND (:versions::integer[] IS NULL OR version = ANY (:versions::integer[]))
            AND (:status::text IS NULL OR status = :status)
        ORDER BY created_at DESC, id DESC LIMIT :per_page + 1
    ) AS chosen
    WINDOW w AS (ORDER BY created_at DESC, id DESC)
)
SELECT
    id::text, created_at, http_request_id, session_id, language, title, version, status_code, error_code, cached,
    duration_ms, execution_time_ms, CASE WHEN fits THEN request_payload::text END AS request_payload,
    CASE WHEN fits THEN response_data::text END AS response_data, runtime_metrics::text, fits
FROM page
UNION ALL
SELECT
    id::text, created_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM (
    SELECT id, created_at FROM request_logs
    WHERE user_id = :owner AND endpoint = 'execute' AND created_at >= :since::timestamptz
        AND created_at <= :before::timestamptz AND (created_at, id) < (:before::timestamptz, :before_id::uuid)
    ORDER BY created_at DESC, id DESC OFFSET :scanned - 1 LIMIT 1
) AS last_one
WHERE (SELECT count(*) FROM page) <= :per_page
ORDER BY created_at DESC, id DESC;

-- name: usage(owner, bucket, since, until)
-- Return the figures of a user's executions by hour or day and by error code.
SELECT
    date_trunc(:bucket, hour, 'UTC') AS starts_at, error_code, sum(executions)::bigint AS executions,
    sum(cache_hits)::bigint AS cache_hits, sum(duration_ms) AS duration_ms, sum(cpu_time_ms) AS cpu_time_ms,
    sum(bytes_in)::bigint AS bytes_in, sum(bytes_out)::bigint AS bytes_out
FROM analytics.hours_use
WHERE user_id = :owner AND hour >= :since AND hour < :until
GROUP BY 1, 2 ORDER BY 1, 2;
