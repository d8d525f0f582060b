-- How many functions each user has, by language, so that the `total` of a list is read and not counted. Triggers keep
-- it, so registrations by a controller of the release before count as well.

CREATE TABLE function_counts (
    user_id   text    NOT NULL,
    language  text    NOT NULL,
    functions integer NOT NULL,
    PRIMARY KEY (user_id, language)
);

CREATE FUNCTION count_function() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO function_counts AS known VALUES (NEW.user_id, NEW.language, 1)
        ON CONFLICT (user_id, language) DO UPDATE SET functions = known.functions + 1;
    ELSE
        UPDATE function_counts SET functions = functions - 1
        WHERE (user_id, language) = (OLD.user_id, OLD.language);
    END IF;
    RETURN NULL;
END
$$;
-- At the end of the transaction: all who change functions of a user wait for that user's count, so it is held shortly,
-- and after the rows of the functions, so that no two transactions wait for each other.
CREATE CONSTRAINT TRIGGER count_new_function AFTER INSERT ON functions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.user_id IS NOT NULL) EXECUTE FUNCTION count_function();
CREATE CONSTRAINT TRIGGER count_gone_function AFTER DELETE ON functions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.user_id IS NOT NULL) EXECUTE FUNCTION count_function();

-- The triggers above lock the table against writes until this is committed.
INSERT INTO function_counts
SELECT user_id, language, count(*) FROM functions WHERE user_id IS NOT NULL GROUP BY user_id, language;
