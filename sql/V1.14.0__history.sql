-- What users see of what they ran: their newest executions, and figures by the hour.

-- The version that an execution by name ran. Null: by id, or written by a controller of the release before.
ALTER TABLE request_logs ADD COLUMN version integer;
CREATE INDEX request_logs_by_user ON request_logs (user_id, created_at) WHERE endpoint = 'execute';

-- Executions of each user, filled when pending rows are moved. Rows that a controller of the release before moves are
-- not in it. One row for each code, so that errors by code need no table beside it.
CREATE TABLE analytics.hourly_use (
    user_id     text             NOT NULL,
    hour        timestamptz      NOT NULL,
    error_code  text             NOT NULL,                -- '' of executions without an error
    executions  bigint           NOT NULL,
    cache_hits  bigint           NOT NULL,
    duration_ms double precision NOT NULL,                -- sum of the whole calls
    cpu_time_ms double precision NOT NULL,
    bytes_in    double precision NOT NULL,
    bytes_out   double precision NOT NULL,
    PRIMARY KEY (user_id, hour, error_code)
);
CREATE INDEX hourly_use_by_hour ON analytics.hourly_use (hour);

-- The same with what is pending.
CREATE VIEW analytics.hours_use AS
SELECT * FROM analytics.hourly_use
UNION ALL
SELECT
    user_id, date_trunc('hour', created_at, 'UTC'), coalesce(error_code, ''), count(*), count(*) FILTER (WHERE cached),
    sum(duration_ms), sum(cpu_time_ms), sum(bytes_in), sum(bytes_out)
FROM analytics.pending WHERE endpoint = 'execute' GROUP BY 1, 2, 3;
