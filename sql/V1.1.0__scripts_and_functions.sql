-- Scripts by content: two functions with the same text share a row, a session pins the hash it began with.
CREATE TABLE scripts (
    script_hash    char(64)    PRIMARY KEY,               -- SHA-256 of the UTF-8 text, in hex
    script_content text        NOT NULL,
    size_bytes     integer     NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- What a compiled language made of a script: the portable module, before any machine's own code.
CREATE TABLE artifacts (
    script_hash     char(64)    NOT NULL REFERENCES scripts,
    language        text        NOT NULL,
    compile_options text        NOT NULL,                 -- canonical JSON
    artifact        bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (script_hash, language, compile_options)
);

CREATE TABLE functions (
    function_id     uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id         text,                                 -- null: predefined, everybody's
    language        text        NOT NULL,
    title           text        NOT NULL,
    description     text        NOT NULL DEFAULT '',
    type            text        NOT NULL CHECK (type IN ('predefined', 'dynamic')),
    version         integer     NOT NULL DEFAULT 1,
    script_hash     char(64)    NOT NULL REFERENCES scripts,
    compile_options json        NOT NULL DEFAULT '{}',
    schema          json        NOT NULL DEFAULT '{}',    -- {"params": JSON Schema, "result": JSON Schema}
    examples        json        NOT NULL DEFAULT '[]',    -- [{"params": ..., "result": ...}]
    tags            text[]      NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((type = 'predefined') = (user_id IS NULL))
);
CREATE UNIQUE INDEX functions_of_a_user ON functions (user_id, language, title) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX functions_predefined ON functions (language, title) WHERE user_id IS NULL;

-- Every text a function ever had.
CREATE TABLE function_versions (
    function_id uuid        NOT NULL REFERENCES functions ON DELETE CASCADE,
    version     integer     NOT NULL,
    script_hash char(64)    NOT NULL REFERENCES scripts,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (function_id, version)
);
