-- For pgbench (-D words=… -D today=… -D score=… -D id=… -D limit=…) and for app.py: what a first page of a search with
-- few matches asks. The same as in api/db/repository.cpp (estimate, ranked); make bench-api compares the answers.
SELECT estimated_matches(websearch_to_tsquery('english', :words));
SELECT s.id, s.name, s.provider, s.amount, s.deadline, (s.min_gpa * 100)::int4, s.majors, top.score, top.total FROM (
  SELECT id, score, total FROM (
    SELECT id, least(ts_rank(search, words) * 1e9, 2e9)::int4 AS score, count(*) OVER () AS total FROM (
      SELECT id, search, words FROM scholarships,
        (SELECT websearch_to_tsquery('english', :words) AS words OFFSET 0) AS asked
      WHERE search @@ words AND (deadline >= :today) IS TRUE LIMIT 4001
    ) AS found
  ) AS ranked WHERE score < :score OR (score = :score AND id > :id) ORDER BY score DESC, id LIMIT :limit
) AS top JOIN scholarships s USING (id) ORDER BY top.score DESC, s.id;
