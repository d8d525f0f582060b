-- A function may be deleted, and its versions outlive it for a while: they say whose they were and since when.
ALTER TABLE function_versions DROP CONSTRAINT function_versions_function_id_fkey;
ALTER TABLE function_versions ADD COLUMN user_id text;
ALTER TABLE function_versions ADD COLUMN deleted_at timestamptz;
CREATE INDEX function_versions_deleted ON function_versions (deleted_at) WHERE deleted_at IS NOT NULL;

-- The JSON Schema of params that a session began with.
ALTER TABLE sessions ADD COLUMN params_schema text;
