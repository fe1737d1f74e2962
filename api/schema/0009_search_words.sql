-- The words of all scholarships, to find the one that was meant where a search has a typing error. A word stays when its
-- last scholarship has gone: a search for it finds nothing, as before. The trigger writes with the rights of the
-- migrating role.
CREATE TABLE search_words (word text PRIMARY KEY);

CREATE FUNCTION note_search_words() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  -- In order, so that two transactions with the same new words wait for each other in one direction only.
  INSERT INTO search_words
    SELECT word FROM (
      SELECT DISTINCT unnest(tsvector_to_array(to_tsvector('simple', name || ' ' || provider || ' ' || description)))
        AS word FROM changed) AS all_words
    WHERE word ~ '^[[:alpha:]]{4,40}$' ORDER BY word
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER scholarships_words_inserted AFTER INSERT ON scholarships
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_search_words();
CREATE TRIGGER scholarships_words_updated AFTER UPDATE ON scholarships
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_search_words();

INSERT INTO search_words
  SELECT word FROM (
    SELECT DISTINCT unnest(tsvector_to_array(to_tsvector('simple', name || ' ' || provider || ' ' || description)))
      AS word FROM scholarships) AS all_words
  WHERE word ~ '^[[:alpha:]]{4,40}$';

-- pg_trgm comes with PostgreSQL, in Debian with the server, and the owner of a database may create it. Where it is
-- missing, nothing is corrected.
DO $$
DECLARE
  place text;
BEGIN
  BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
  EXCEPTION WHEN undefined_file OR feature_not_supported OR insufficient_privilege THEN
    CREATE FUNCTION corrected(asked text) RETURNS text LANGUAGE sql STABLE AS 'SELECT asked';
    RETURN;
  END;
  SELECT nspname INTO place FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm';
  EXECUTE format('CREATE INDEX search_words_alike ON search_words USING gin (word %I.gin_trgm_ops)', place);
  -- Every word of letters is replaced by the most similar one that there is. Quotes and minus keep a word as it is.
  EXECUTE format($f$
    CREATE FUNCTION corrected(asked text) RETURNS text LANGUAGE sql STABLE AS $body$
      SELECT string_agg(coalesce(alike.word, each.word), ' ' ORDER BY each.place)
      FROM unnest(string_to_array(asked, ' ')) WITH ORDINALITY AS each (word, place)
      LEFT JOIN LATERAL (
        SELECT w.word FROM search_words w
        WHERE each.word ~ '^[[:alpha:]]{4,40}$' AND w.word OPERATOR(%1$I.%%) lower(each.word)
        ORDER BY %1$I.similarity(w.word, lower(each.word)) DESC, w.word LIMIT 1) AS alike ON true
    $body$ $f$, place);
END $$;
