-- What the filters of lists and the pages of searches need, so that no query reads the whole table.
CREATE INDEX scholarships_deadline ON scholarships (deadline, id);
CREATE INDEX scholarships_amount ON scholarships (amount, id);

-- The majors as they are compared: in lower case; a scholarship without majors is open to all, written as `*`.
CREATE FUNCTION major_keys(majors text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN majors = '{}' THEN ARRAY['*'] ELSE lower(majors::text)::text[] END
$$;
CREATE INDEX scholarships_majors ON scholarships USING gin (major_keys(majors));
ALTER INDEX scholarships_majors SET (fastupdate = off);

-- How many rows the planner expects to match. `-word` alone, which no index finds, counts as many. To look up the words
-- of a common search in the index takes longer than to read a page of those with the next deadline.
CREATE FUNCTION estimated_matches(words tsquery) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  IF querytree(words) = 'T' THEN RETURN 9223372036854775807; END IF;
  EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM scholarships WHERE search @@ %L', words) INTO plan;
  RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
