-- Keys that users make for their programs. A controller of the release before neither reads nor writes this table.

CREATE TABLE api_keys (
    key_id       uuid        PRIMARY KEY,
    key_hash     bytea       NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),  -- SHA-256; the key is not kept
    user_id      text        NOT NULL,
    name         text        NOT NULL,
    scopes       text[]      NOT NULL,
    functions    text[],                                -- the references that it may execute; null: it is not bound
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at);
CREATE INDEX api_keys_by_expiry ON api_keys (expires_at);
