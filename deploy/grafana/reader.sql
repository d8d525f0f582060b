-- The account that Grafana reads the log of requests with: what was sent and answered is not for dashboards.
-- Once for each database, as its owner; then give it a password: \password grafana
CREATE ROLE grafana LOGIN CONNECTION LIMIT 8;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
GRANT USAGE ON SCHEMA public, analytics TO grafana;
GRANT SELECT (
    id, created_at, endpoint, http_request_id, user_id, language, title, script_hash, status, status_code, error_code,
    cached, executed, duration_ms, execution_time_ms, runtime_metrics
) ON request_logs TO grafana;
GRANT SELECT (
    id, created_at, endpoint, http_request_id, user_id, language, title, status_code, error_code, message, details
) ON error_logs TO grafana;
