-- A session begins in one trip: docs/adr/0033.

-- At least as many sessions as a user has: those that have begun, whatever became of them. So that nothing has to be
-- written when one ends or expires, it is only set right when it comes near the user's bound. By slot, so that the
-- connections of a user do not wait for each other. A trigger keeps it, so a controller of the release before counts.
CREATE TABLE begun_sessions (
    user_id  text    NOT NULL,
    slot     integer NOT NULL,
    sessions bigint  NOT NULL,
    PRIMARY KEY (user_id, slot)
) WITH (fillfactor = 50);

CREATE FUNCTION count_begun_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.begun_sessions AS known VALUES (NEW.user_id, pg_backend_pid() % 8, 1)
    ON CONFLICT (user_id, slot) DO UPDATE SET sessions = known.sessions + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_begun_session AFTER INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION count_begun_session();

-- The trigger above locks the table against writes until this is committed.
INSERT INTO begun_sessions SELECT user_id, 0, count(*) FROM sessions WHERE status = 'active' GROUP BY user_id;

-- Begins a session, with the rows of its script, its artifact and, if it `registers` one, its function. A function, since
-- a connection keeps its plans. A bound of 0 is none.
--
-- `ended` is `begun`, or why nothing was written: `sessions` or `functions` if the user has as many as they may have,
-- `differs` if the session is `plain`, but its function has schemas or packages, which the session lacks.
-- `replaces` is the hash of the script that this one replaces, `at_bound` whether the user has now all they may have.
--
-- The bounds hold for requests at the same time as well: near them these wait for each other. All transactions that
-- write at that time are fewer than the server's connections, so that far from them they need not. The locks come in
-- this order in every transaction: the one of the user near a bound, the function, the user's counts.
--
-- The same function again changes only its time, which has a resolution of one second here.
CREATE FUNCTION meta.begin_session(
    request_id text, user_id text, language text, title text, script_hash character, script_content text,
    compile_options json, context json, isolation text, timeout_ms integer, retain_session boolean,
    compile_status text, params_schema text, result_schema text, created_at timestamptz, expires_at timestamptz,
    environment character, artifact_options text, artifact text, registers boolean, plain boolean, packages text[],
    sessions_max integer, functions_max integer,
    OUT ended text, OUT replaces text, OUT at_bound boolean
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    known record;
    bound_sessions integer := nullif(sessions_max, 0);
    bound_functions integer;
    near integer := current_setting('max_connections')::integer;
    begun bigint;
    live bigint;
    own bigint;
    surplus bigint := 0;
    used timestamptz;
BEGIN
    at_bound := false;
    SELECT f.function_id, f.version, f.script_hash, f.compile_options::jsonb, f.packages, f.environment, f.updated_at,
        f.schema::text <> '{}' OR f.packages <> '{}' OR f.environment IS NOT NULL AS lends
    INTO known FROM public.functions f
    WHERE registers AND (f.user_id, f.language, f.title)
        = (begin_session.user_id, begin_session.language, begin_session.title);
    IF plain AND known.lends THEN
        ended := 'differs';
        RETURN;
    END IF;

    IF registers AND known.function_id IS NULL THEN
        bound_functions := nullif(functions_max, 0);
    END IF;
    IF coalesce(bound_sessions, bound_functions) IS NOT NULL THEN
        SELECT
            coalesce((SELECT sum(b.sessions) FROM public.begun_sessions b WHERE b.user_id = begin_session.user_id), 0),
            coalesce((SELECT sum(c.functions) FROM public.function_counts c WHERE c.user_id = begin_session.user_id), 0)
        INTO begun, own;
        IF begun >= bound_sessions - near OR own >= bound_functions - near THEN
            PERFORM pg_advisory_xact_lock(hashtextextended('begin ' || begin_session.user_id, 0));
            -- One statement, so that all are of one moment.
            SELECT
                coalesce((SELECT sum(b.sessions) FROM public.begun_sessions b WHERE b.user_id = begin_session.user_id), 0),
                (
                    SELECT count(*) FROM (
                        SELECT FROM public.sessions s
                        WHERE s.user_id = begin_session.user_id AND s.expires_at > now() AND s.status = 'active'
                            AND NOT s.by_name
                        LIMIT bound_sessions
                    ) AS counted
                ),
                coalesce((SELECT sum(c.functions) FROM public.function_counts c WHERE c.user_id = begin_session.user_id), 0)
                - (
                    SELECT count(*) FROM public.functions f
                    WHERE (f.user_id, f.language, f.title)
                        = (begin_session.user_id, begin_session.language, begin_session.title)
                )
            INTO begun, live, own;
            ended := CASE WHEN live >= bound_sessions THEN 'sessions' WHEN own >= bound_functions THEN 'functions' END;
            at_bound := coalesce(live + 1 >= bound_sessions, false) OR coalesce(own + 1 >= bound_functions, false);
            IF ended IS NOT NULL THEN
                RETURN;
            END IF;
            IF bound_sessions IS NOT NULL THEN
                surplus := begun - live;
            END IF;
        END IF;
    END IF;

    -- The time of use has a resolution of one hour, and protects a script from a cleanup that runs now.
    SELECT s.used_at INTO used FROM public.scripts s WHERE s.script_hash = begin_session.script_hash;
    IF used IS NULL THEN
        INSERT INTO public.scripts (script_hash, script_content, size_bytes)
        VALUES (begin_session.script_hash, begin_session.script_content, octet_length(begin_session.script_content))
        ON CONFLICT DO NOTHING;
    ELSIF used < now() - interval '1 hour' THEN
        UPDATE public.scripts s SET used_at = now() WHERE s.script_hash = begin_session.script_hash;
    END IF;
    IF begin_session.artifact IS NOT NULL THEN
        INSERT INTO public.artifacts (script_hash, language, compile_options, artifact) VALUES (
            begin_session.script_hash, begin_session.language, artifact_options, decode(begin_session.artifact, 'base64')
        ) ON CONFLICT DO NOTHING;
    END IF;

    IF (known.script_hash, known.compile_options, known.packages, known.environment) IS NOT DISTINCT FROM (
        begin_session.script_hash, begin_session.compile_options::jsonb, begin_session.packages,
        begin_session.environment
    ) THEN
        IF begin_session.created_at > known.updated_at + interval '1 second' THEN
            UPDATE public.functions f SET updated_at = greatest(f.updated_at, begin_session.created_at)
            WHERE f.function_id = known.function_id AND f.version = known.version;
        END IF;
    ELSIF registers THEN
        replaces := nullif(known.script_hash, begin_session.script_hash);
        -- As the query `put_function` does it.
        WITH function AS (
            INSERT INTO public.functions (
                user_id, language, title, type, script_hash, compile_options, created_at, updated_at, packages, environment
            )
            VALUES (
                begin_session.user_id, begin_session.language, begin_session.title, 'dynamic', begin_session.script_hash,
                begin_session.compile_options, begin_session.created_at, begin_session.created_at,
                begin_session.packages, begin_session.environment
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
        INSERT INTO public.function_versions (function_id, version, script_hash)
        SELECT function_id, version, script_hash FROM function
        ON CONFLICT DO NOTHING;
    END IF;

    INSERT INTO public.sessions (
        request_id, user_id, language, title, script_hash, compile_options, context, isolation, timeout_ms,
        retain_session, compile_status, params_schema, result_schema, created_at, expires_at, environment
    ) VALUES (
        begin_session.request_id, begin_session.user_id, begin_session.language, begin_session.title,
        begin_session.script_hash, begin_session.compile_options, begin_session.context, begin_session.isolation,
        begin_session.timeout_ms, begin_session.retain_session, begin_session.compile_status,
        begin_session.params_schema, begin_session.result_schema, begin_session.created_at, begin_session.expires_at,
        begin_session.environment
    );
    IF surplus <> 0 THEN
        UPDATE public.begun_sessions b SET sessions = b.sessions - surplus
        WHERE (b.user_id, b.slot) = (begin_session.user_id, pg_backend_pid() % 8);
    END IF;
    ended := 'begun';
END
$$;
