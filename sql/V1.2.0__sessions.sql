CREATE TABLE sessions (
    request_id       text        PRIMARY KEY,
    user_id          text        NOT NULL,                -- the token's subject; context.user_id is only data
    language         text        NOT NULL,
    title            text        NOT NULL,
    script_hash      char(64)    NOT NULL REFERENCES scripts,
    compile_options  json        NOT NULL,                -- with hash and language: the session's compiled artifact
    context          json        NOT NULL,                -- what the script sees
    isolation        text        NOT NULL CHECK (isolation IN ('session', 'execution')),
    timeout_ms       integer     NOT NULL,
    retain_session   boolean     NOT NULL,
    compile_status   text,                                -- null: nothing to compile
    status           text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'closed', 'deleted')),
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    execution_count  bigint      NOT NULL DEFAULT 0,
    last_executed_at timestamptz
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_user ON sessions (user_id, expires_at);
