-- Statistics by the hour. Every row that is written to request_logs leaves its figures in `pending`; maintenance moves
-- them from there into the hour they belong to, a bounded number in one transaction. So each row counts exactly once,
-- however late it comes, and the views, which add what is pending to the hours, are never behind.

-- A histogram's bucket of a time in milliseconds: each is 4% wider than the one before.
CREATE FUNCTION analytics.bucket(ms double precision) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ceil(ln(greatest(ms, 0.001)) / ln(1.04::double precision))::smallint;

-- The middle of a bucket, at most 2% from any time in it.
CREATE FUNCTION analytics.bucket_ms(bucket smallint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN power(1.04::double precision, bucket) * 2 / 2.04;

-- The figures of runtime_metrics, 0 for what is no number: whatever a runtime wrote there, the row can be logged.
CREATE FUNCTION analytics.figures(metrics json) RETURNS TABLE (
    cold boolean, cpu_time_ms double precision, memory_usage_bytes double precision, bytes_in double precision,
    bytes_out double precision, fuel double precision
) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT
        coalesce(m.cold = 'true', false),
        CASE WHEN m.cpu_time ~ '^\d{1,18}(\.\d+)?$' THEN m.cpu_time::double precision ELSE 0 END,
        CASE WHEN m.memory_usage_bytes ~ '^\d{1,18}$' THEN m.memory_usage_bytes::double precision ELSE 0 END,
        CASE WHEN m.bytes_in ~ '^\d{1,18}$' THEN m.bytes_in::double precision ELSE 0 END,
        CASE WHEN m.bytes_out ~ '^\d{1,18}$' THEN m.bytes_out::double precision ELSE 0 END,
        CASE WHEN m.fuel ~ '^\d{1,18}$' THEN m.fuel::double precision ELSE 0 END
    FROM json_to_record(CASE WHEN json_typeof(metrics) = 'object' THEN metrics ELSE '{}'::json END) AS m (
        cold text, cpu_time text, memory_usage_bytes text, bytes_in text, bytes_out text, fuel text
    )
$$;

CREATE TABLE analytics.pending (
    created_at         timestamptz      NOT NULL,
    endpoint           text             NOT NULL,
    language           text             NOT NULL,         -- 'unknown' where a call failed before that was known
    user_id            text             NOT NULL,
    status_code        integer          NOT NULL,
    error_code         text,
    cached             boolean          NOT NULL,
    duration_ms        double precision NOT NULL,
    execution_time_ms  double precision,                  -- of a hit: of the run that it made needless
    ran                boolean          NOT NULL,         -- a runtime told what it used
    cold               boolean          NOT NULL,
    cpu_time_ms        double precision NOT NULL,
    memory_usage_bytes double precision NOT NULL,
    bytes_in           double precision NOT NULL,
    bytes_out          double precision NOT NULL,
    fuel               double precision NOT NULL
);

CREATE TABLE analytics.hourly (
    hour                   timestamptz      NOT NULL,
    endpoint               text             NOT NULL,
    language               text             NOT NULL,
    calls                  bigint           NOT NULL,
    errors                 bigint           NOT NULL,
    cache_hits             bigint           NOT NULL,
    saved_ms               double precision NOT NULL,     -- runs that hits made needless
    duration_ms            double precision NOT NULL,     -- sum
    duration_ms_max        double precision NOT NULL,
    runs                   bigint           NOT NULL,
    cold_starts            bigint           NOT NULL,
    cpu_time_ms            double precision NOT NULL,
    memory_usage_bytes     double precision NOT NULL,     -- sum
    memory_usage_bytes_max double precision NOT NULL,
    bytes_in               double precision NOT NULL,
    bytes_out              double precision NOT NULL,
    fuel                   double precision NOT NULL,
    PRIMARY KEY (hour, endpoint, language)
);

-- Histograms of executions: `call`, the whole call in the controller; `run`, the script's own time in its runtime.
CREATE TABLE analytics.hourly_times (
    hour     timestamptz NOT NULL,
    language text        NOT NULL,
    measure  text        NOT NULL CHECK (measure IN ('call', 'run')),
    bucket   smallint    NOT NULL,
    calls    bigint      NOT NULL,
    PRIMARY KEY (hour, language, measure, bucket)
);

-- What the histograms tell of an hour or a day (UTC), kept whenever they change.
CREATE TABLE analytics.kept_percentiles (
    period   text             NOT NULL CHECK (period IN ('hour', 'day')),
    starts   timestamptz      NOT NULL,
    language text             NOT NULL,
    measure  text             NOT NULL,
    calls    bigint           NOT NULL,
    p50_ms   double precision NOT NULL,
    p95_ms   double precision NOT NULL,
    p99_ms   double precision NOT NULL,
    PRIMARY KEY (period, starts, language, measure)
);

CREATE TABLE analytics.hourly_errors (
    hour        timestamptz NOT NULL,
    endpoint    text        NOT NULL,
    language    text        NOT NULL,
    error_code  text        NOT NULL,
    status_code integer     NOT NULL,
    errors      bigint      NOT NULL,
    last_seen   timestamptz NOT NULL,
    PRIMARY KEY (hour, endpoint, language, error_code, status_code)
);

-- Who executed something: users of a day cannot be added up from its hours.
CREATE TABLE analytics.daily_users (
    day      date NOT NULL,
    language text NOT NULL,
    user_id  text NOT NULL,
    PRIMARY KEY (day, language, user_id)
);
CREATE INDEX daily_users_by_user ON analytics.daily_users (user_id);

CREATE FUNCTION analytics.note_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics.pending
    SELECT
        created_at, endpoint, coalesce(language, 'unknown'), user_id, status_code, error_code, cached, duration_ms,
        execution_time_ms, NOT cached AND runtime_metrics IS NOT NULL, used.*
    FROM inserted
    CROSS JOIN LATERAL analytics.figures(CASE WHEN NOT cached THEN runtime_metrics END) AS used;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_calls AFTER INSERT ON request_logs REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION analytics.note_calls();

INSERT INTO analytics.pending
SELECT
    created_at, endpoint, coalesce(language, 'unknown'), user_id, status_code, error_code, cached, duration_ms,
    execution_time_ms, NOT cached AND runtime_metrics IS NOT NULL, used.*
FROM request_logs
CROSS JOIN LATERAL analytics.figures(CASE WHEN NOT cached THEN runtime_metrics END) AS used;

-- The hours with what is pending: what the views below are made of.
CREATE VIEW analytics.hours AS
SELECT * FROM analytics.hourly
UNION ALL
SELECT
    date_trunc('hour', created_at, 'UTC'), endpoint, language, count(*), count(*) FILTER (WHERE error_code IS NOT NULL),
    count(*) FILTER (WHERE cached), coalesce(sum(execution_time_ms) FILTER (WHERE cached), 0), sum(duration_ms),
    max(duration_ms), count(*) FILTER (WHERE ran), count(*) FILTER (WHERE cold), sum(cpu_time_ms),
    sum(memory_usage_bytes), max(memory_usage_bytes), sum(bytes_in), sum(bytes_out), sum(fuel)
FROM analytics.pending GROUP BY 1, 2, 3;

CREATE VIEW analytics.hours_errors AS
SELECT * FROM analytics.hourly_errors
UNION ALL
SELECT date_trunc('hour', created_at, 'UTC'), endpoint, language, error_code, status_code, count(*), max(created_at)
FROM analytics.pending WHERE error_code IS NOT NULL
GROUP BY 1, 2, 3, 4, 5;

-- The percentiles of those hours or days, at most 2% off, from their histograms and, if so asked, what is pending.
CREATE FUNCTION analytics.percentiles(period text, periods timestamptz[], with_pending boolean) RETURNS TABLE (
    starts timestamptz, language text, measure text, calls bigint,
    p50_ms double precision, p95_ms double precision, p99_ms double precision
) LANGUAGE sql STABLE AS $$
    WITH wanted AS (
        SELECT starts, starts + CASE period WHEN 'day' THEN interval '24 hours' ELSE interval '1 hour' END AS ends
        FROM unnest(periods) AS starts
    ), buckets AS (
        SELECT starts, language, measure, bucket, sum(calls) AS calls FROM (
            SELECT starts, language, measure, bucket, calls
            FROM wanted JOIN analytics.hourly_times ON hour >= starts AND hour < ends
            UNION ALL
            SELECT date_trunc(period, created_at, 'UTC'), language, measure, analytics.bucket(ms), 1
            FROM analytics.pending
            CROSS JOIN LATERAL (
                VALUES ('call', duration_ms), ('run', CASE WHEN NOT cached THEN execution_time_ms END)
            ) AS times (measure, ms)
            WHERE with_pending AND endpoint = 'execute' AND ms IS NOT NULL
        ) AS counted GROUP BY starts, language, measure, bucket
    ), ranked AS (
        SELECT
            *, sum(calls) OVER (PARTITION BY starts, language, measure ORDER BY bucket) AS up_to,
            sum(calls) OVER (PARTITION BY starts, language, measure) AS total
        FROM buckets
    )
    SELECT
        starts, language, measure, sum(calls)::bigint,
        analytics.bucket_ms(min(bucket) FILTER (WHERE up_to >= 0.50 * total)),
        analytics.bucket_ms(min(bucket) FILTER (WHERE up_to >= 0.95 * total)),
        analytics.bucket_ms(min(bucket) FILTER (WHERE up_to >= 0.99 * total))
    FROM ranked GROUP BY starts, language, measure
$$;

-- Kept percentiles where nothing is pending, and fresh ones for the few periods where something is.
CREATE VIEW analytics.performance AS
WITH changed AS (
    SELECT DISTINCT period, date_trunc(period, created_at, 'UTC') AS starts
    FROM analytics.pending CROSS JOIN (VALUES ('hour'), ('day')) AS periods (period)
)
SELECT * FROM analytics.kept_percentiles WHERE (period, starts) NOT IN (SELECT period, starts FROM changed)
UNION ALL
SELECT period, fresh.*
FROM (SELECT period, array_agg(starts) AS periods FROM changed GROUP BY period) AS grouped
CROSS JOIN LATERAL analytics.percentiles(period, periods, true) AS fresh;

CREATE VIEW analytics.performance_hourly AS
SELECT starts AS hour, language, measure, calls, p50_ms, p95_ms, p99_ms FROM analytics.performance
WHERE period = 'hour';

CREATE VIEW analytics.performance_daily AS
SELECT (starts AT TIME ZONE 'UTC')::date AS day, language, measure, calls, p50_ms, p95_ms, p99_ms
FROM analytics.performance WHERE period = 'day';

-- Executions a day and language, with their errors, cache hits and times in milliseconds. Users are known as long
-- as the log is kept.
CREATE OR REPLACE VIEW analytics.daily_usage AS
WITH usage AS (
    SELECT
        (hour AT TIME ZONE 'UTC')::date AS day, language, sum(calls)::bigint AS executions,
        sum(errors)::bigint AS errors, sum(cache_hits)::bigint AS cache_hits,
        sum(duration_ms) / sum(calls) AS mean_duration_ms
    FROM analytics.hours WHERE endpoint = 'execute' GROUP BY 1, 2
), users AS (
    SELECT day, language, count(*) AS users FROM (
        SELECT day, language, user_id FROM analytics.daily_users
        UNION
        SELECT (created_at AT TIME ZONE 'UTC')::date, language, user_id FROM analytics.pending WHERE endpoint = 'execute'
    ) AS known GROUP BY 1, 2
)
SELECT day, language, executions, users, errors, cache_hits, mean_duration_ms, p95_ms AS p95_duration_ms
FROM usage
LEFT JOIN users USING (day, language)
LEFT JOIN (SELECT * FROM analytics.performance_daily WHERE measure = 'call') AS times USING (day, language);

CREATE VIEW analytics.error_summary AS
SELECT
    (hour AT TIME ZONE 'UTC')::date AS day, endpoint, language, error_code, status_code,
    sum(errors)::bigint AS errors, max(last_seen) AS last_seen
FROM analytics.hours_errors GROUP BY 1, 2, 3, 4, 5;

-- What runs used: means and maxima of one run, sums of all.
CREATE VIEW analytics.runtime_metrics AS
SELECT
    (hour AT TIME ZONE 'UTC')::date AS day, language, sum(runs)::bigint AS runs, sum(cold_starts)::bigint AS cold_starts,
    sum(cpu_time_ms) AS cpu_time_ms, sum(cpu_time_ms) / sum(runs) AS mean_cpu_time_ms,
    sum(memory_usage_bytes) / sum(runs) AS mean_memory_usage_bytes, max(memory_usage_bytes_max) AS max_memory_usage_bytes,
    sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out, sum(fuel) AS fuel
FROM analytics.hours WHERE endpoint = 'execute' GROUP BY 1, 2 HAVING sum(runs) > 0;

CREATE VIEW analytics.cache_metrics AS
SELECT
    (hour AT TIME ZONE 'UTC')::date AS day, language, sum(calls)::bigint AS executions,
    sum(cache_hits)::bigint AS hits, sum(runs)::bigint AS runs, sum(cache_hits) / sum(calls) AS hit_ratio,
    sum(saved_ms) AS saved_ms
FROM analytics.hours WHERE endpoint = 'execute' GROUP BY 1, 2;
