-- Executions a day and language, with their errors, cache hits and times in milliseconds.
CREATE VIEW analytics.daily_usage AS
SELECT
    (created_at AT TIME ZONE 'UTC')::date                              AS day,
    language,
    count(*)                                                           AS executions,
    count(DISTINCT user_id)                                            AS users,
    count(*) FILTER (WHERE status = 'error')                           AS errors,
    count(*) FILTER (WHERE cached)                                     AS cache_hits,
    avg(duration_ms)                                                   AS mean_duration_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms)          AS p95_duration_ms
FROM request_logs
WHERE endpoint = 'execute'
GROUP BY 1, 2;
