-- Redis counts executions as they are answered. What it missed, being away, is counted apart, so that both together
-- are exact: Redis' count plus `uncounted`.
ALTER TABLE request_logs ADD COLUMN counted boolean NOT NULL DEFAULT true;  -- by Redis
ALTER TABLE sessions ADD COLUMN uncounted bigint NOT NULL DEFAULT 0;        -- the part of execution_count Redis missed
