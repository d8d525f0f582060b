-- Functions with versions, aliases and defaults. The row of a function shows its newest version. A version is a copy of
-- that row, made by a trigger, so registrations by a controller of the release before make whole versions as well.

ALTER TABLE functions ADD COLUMN enforce_result boolean NOT NULL DEFAULT false;
ALTER TABLE functions ADD COLUMN defaults json NOT NULL DEFAULT '{}';  -- of executions by name
ALTER TABLE functions ADD COLUMN last_version integer NOT NULL DEFAULT 0;  -- the highest number that was ever given
UPDATE functions SET last_version = version;

ALTER TABLE function_versions ADD COLUMN compile_options json NOT NULL DEFAULT '{}';
ALTER TABLE function_versions ADD COLUMN description text NOT NULL DEFAULT '';
ALTER TABLE function_versions ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
ALTER TABLE function_versions ADD COLUMN schema json NOT NULL DEFAULT '{}';
ALTER TABLE function_versions ADD COLUMN enforce_result boolean NOT NULL DEFAULT false;
ALTER TABLE function_versions ADD COLUMN examples json NOT NULL DEFAULT '[]';
ALTER TABLE function_versions ADD COLUMN defaults json NOT NULL DEFAULT '{}';
UPDATE function_versions SET
    compile_options = f.compile_options, description = f.description, tags = f.tags, schema = f.schema,
    examples = f.examples
FROM functions f WHERE f.function_id = function_versions.function_id;

CREATE TABLE function_aliases (
    function_id    uuid        NOT NULL REFERENCES functions ON DELETE CASCADE,
    alias          text        NOT NULL,
    version        integer     NOT NULL,
    canary_version integer,
    canary_weight  double precision CHECK (canary_weight BETWEEN 0 AND 1),
    PRIMARY KEY (function_id, alias),
    -- The service refuses to delete a version that an alias names. What deletes all of a function goes through.
    FOREIGN KEY (function_id, version) REFERENCES function_versions ON DELETE CASCADE,
    FOREIGN KEY (function_id, canary_version) REFERENCES function_versions (function_id, version) ON DELETE CASCADE,
    CHECK ((canary_version IS NULL) = (canary_weight IS NULL))
);

-- The last number of a deleted function. A later function of its name continues from there.
CREATE TABLE function_numbers (
    user_id  text    NOT NULL,
    language text    NOT NULL,
    title    text    NOT NULL,
    version  integer NOT NULL,
    PRIMARY KEY (user_id, language, title)
);

CREATE FUNCTION number_function() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.last_version := 1 + coalesce((
            SELECT n.version FROM function_numbers n
            WHERE (n.user_id, n.language, n.title) = (NEW.user_id, NEW.language, NEW.title)
        ), 0);
        NEW.version := NEW.last_version;
    ELSIF NEW.version > OLD.version THEN
        NEW.last_version := OLD.last_version + 1;
        NEW.version := NEW.last_version;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER number_function BEFORE INSERT OR UPDATE ON functions
    FOR EACH ROW EXECUTE FUNCTION number_function();

CREATE FUNCTION keep_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO function_numbers (user_id, language, title, version)
    VALUES (OLD.user_id, OLD.language, OLD.title, OLD.last_version)
    ON CONFLICT (user_id, language, title) DO UPDATE SET version = excluded.version;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_number AFTER DELETE ON functions
    FOR EACH ROW WHEN (OLD.user_id IS NOT NULL) EXECUTE FUNCTION keep_number();

CREATE FUNCTION fill_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT f.compile_options, f.description, f.tags, f.schema, f.enforce_result, f.examples, f.defaults
    INTO NEW.compile_options, NEW.description, NEW.tags, NEW.schema, NEW.enforce_result, NEW.examples, NEW.defaults
    FROM functions f WHERE f.function_id = NEW.function_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER fill_version BEFORE INSERT ON function_versions
    FOR EACH ROW EXECUTE FUNCTION fill_version();

-- A function keeps 1,000 versions. The oldest go first, but for those that an alias names.
CREATE FUNCTION drop_oldest_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM function_versions WHERE function_id = NEW.function_id AND version IN (
        SELECT v.version FROM function_versions v
        WHERE v.function_id = NEW.function_id AND v.version <> NEW.version AND NOT EXISTS (
            SELECT FROM function_aliases a
            WHERE a.function_id = v.function_id AND v.version IN (a.version, a.canary_version)
        )
        ORDER BY v.version
        LIMIT greatest(0, (SELECT count(*) FROM function_versions WHERE function_id = NEW.function_id) - 1000)
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER drop_oldest_versions AFTER INSERT ON function_versions
    FOR EACH ROW EXECUTE FUNCTION drop_oldest_versions();

-- Sessions behind executions by name do not count against the quota of their user.
ALTER TABLE sessions ADD COLUMN by_name boolean NOT NULL DEFAULT false;
-- The JSON Schema that results of the session have to meet.
ALTER TABLE sessions ADD COLUMN result_schema text;

-- Whether a function is chosen by the filters of a list. Null: any. `words` is searched in name, description and tags.
CREATE FUNCTION function_chosen(f functions, language text, user_id text, type text, words text, tag text)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT ($2 IS NULL OR f.language = $2) AND ($3 IS NULL OR f.user_id = $3) AND ($4 IS NULL OR f.type = $4)
        AND ($5 IS NULL OR strpos(
            lower(concat_ws(E'\n', f.language || '-' || f.title, f.description, array_to_string(f.tags, E'\n'))), lower($5)
        ) > 0)
        AND ($6 IS NULL OR $6 = ANY (f.tags))
$$;
