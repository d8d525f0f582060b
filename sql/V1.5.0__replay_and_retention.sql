-- A session's end may be written before the session itself, when two processes kept them while PostgreSQL was away.
CREATE TABLE session_ends (
    request_id text        PRIMARY KEY,
    status     text        NOT NULL CHECK (status IN ('closed', 'deleted')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX session_ends_by_time ON session_ends (created_at);

-- When a session or a function last began with the script, to the hour.
ALTER TABLE scripts ADD COLUMN used_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX scripts_by_use ON scripts (used_at);
-- Whether anybody still refers to a script.
CREATE INDEX sessions_by_script ON sessions (script_hash);
CREATE INDEX functions_by_script ON functions (script_hash);
CREATE INDEX function_versions_by_script ON function_versions (script_hash);

-- Makes the partitions of this month and of the next ones; safe to call again and again. Rows that came for a month
-- before it had a partition are in the default one: they move, since PostgreSQL refuses a partition beside them. Who
-- waits for this lock holds up whoever comes after, so it does not wait long; the next round tries again.
CREATE OR REPLACE FUNCTION meta.ensure_log_partitions(months_ahead integer) RETURNS integer LANGUAGE plpgsql
SET lock_timeout = '3s' AS $$
DECLARE
    first_day date;
    starts timestamptz;
    ends timestamptz;
    made integer := 0;
    partition_name text;
BEGIN
    FOR ahead IN 0 .. months_ahead LOOP
        first_day := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead))::date;
        partition_name := 'request_logs_' || to_char(first_day, 'YYYY_MM');
        CONTINUE WHEN to_regclass('public.' || partition_name) IS NOT NULL;
        starts := first_day::timestamp AT TIME ZONE 'UTC';
        ends := (first_day + interval '1 month') AT TIME ZONE 'UTC';
        LOCK TABLE public.request_logs IN ACCESS EXCLUSIVE MODE;
        CONTINUE WHEN to_regclass('public.' || partition_name) IS NOT NULL;  -- another one was faster
        EXECUTE format('CREATE TABLE public.%I (LIKE public.request_logs INCLUDING ALL)', partition_name);
        EXECUTE format(
            'WITH moved AS (
                DELETE FROM public.request_logs_default WHERE created_at >= %L AND created_at < %L RETURNING *
            ) INSERT INTO public.%I SELECT * FROM moved',
            starts, ends, partition_name
        );
        EXECUTE format(
            'ALTER TABLE public.request_logs ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            partition_name, starts, ends
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Drops the partitions whose last row is older than that.
CREATE FUNCTION meta.drop_log_partitions(days integer) RETURNS integer LANGUAGE plpgsql SET lock_timeout = '3s' AS $$
DECLARE
    partition_name text;
    dropped integer := 0;
BEGIN
    FOR partition_name IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'public.request_logs'::regclass AND relname ~ '^request_logs_\d{4}_\d{2}$'
            AND (to_date(right(relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
                <= now() - make_interval(days => days)
    LOOP
        EXECUTE format('DROP TABLE public.%I', partition_name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
