-- Packages of scripts. A controller of the release before neither reads nor writes these tables and columns.

-- What a lock gives on a platform. The row stays while something names it, the parts only while there is room.
CREATE TABLE environments (
    digest       char(64)    PRIMARY KEY,               -- SHA-256 of language, its version, platform and lock
    language     text        NOT NULL,
    version      text        NOT NULL,
    platform     text        NOT NULL,
    lock         text        NOT NULL,                  -- canonical
    packages     jsonb       NOT NULL,                  -- [{"name", "version", "bytes", "licence"}]
    bytes        bigint      NOT NULL DEFAULT 0,        -- of all files
    stored_bytes bigint      NOT NULL DEFAULT 0,        -- of all parts
    built_ms     integer,
    state        text        NOT NULL DEFAULT 'absent' CHECK (state IN ('absent', 'building', 'ready', 'failed')),
    parts        integer     NOT NULL DEFAULT 0,
    build        text,                                  -- names the build that runs, or that made the parts
    failure      json,                                  -- of that build
    lease        timestamptz,                           -- until then no other process builds
    used_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX environments_by_use ON environments (used_at);

-- Empty where ENVIRONMENTS_DIR keeps the parts. They are compressed already.
CREATE TABLE environment_parts (
    digest  char(64) NOT NULL REFERENCES environments ON DELETE CASCADE,
    build   text     NOT NULL,                          -- a build that lost its lease disturbs no other
    part    integer  NOT NULL,
    content bytea    NOT NULL,
    PRIMARY KEY (digest, build, part)
);
ALTER TABLE environment_parts ALTER COLUMN content SET STORAGE EXTERNAL;

-- The environment that each declaration of a user has, whatever script it stands in.
CREATE TABLE kept_locks (
    user_id     text        NOT NULL,
    declaration char(64)    NOT NULL,                   -- SHA-256 of language, packages and the lock that was given
    digest      char(64)    REFERENCES environments,    -- null: it is being resolved
    lease       timestamptz,                            -- until then no other process resolves
    used_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, declaration)
);
CREATE INDEX kept_locks_by_digest ON kept_locks (digest);
CREATE INDEX kept_locks_by_use ON kept_locks (used_at);

ALTER TABLE sessions ADD COLUMN environment char(64);
CREATE INDEX sessions_by_environment ON sessions (environment) WHERE environment IS NOT NULL;
ALTER TABLE functions ADD COLUMN packages text[] NOT NULL DEFAULT '{}';  -- the field, not what the script declares
ALTER TABLE functions ADD COLUMN environment char(64);
ALTER TABLE function_versions ADD COLUMN packages text[] NOT NULL DEFAULT '{}';
ALTER TABLE function_versions ADD COLUMN environment char(64);
CREATE INDEX function_versions_by_environment ON function_versions (environment) WHERE environment IS NOT NULL;

CREATE OR REPLACE FUNCTION fill_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT
        f.compile_options, f.description, f.tags, f.schema, f.enforce_result, f.examples, f.defaults, f.packages,
        f.environment
    INTO
        NEW.compile_options, NEW.description, NEW.tags, NEW.schema, NEW.enforce_result, NEW.examples, NEW.defaults,
        NEW.packages, NEW.environment
    FROM functions f WHERE f.function_id = NEW.function_id;
    RETURN NEW;
END
$$;
