-- For pgbench (-D words=… -D limit=…) and for app.py. The same as in api/db/repository.cpp.
SELECT s.id, s.name, s.provider, s.amount, s.deadline, (s.min_gpa * 100)::int4, s.majors, top.total FROM (
  SELECT id, ts_rank(search, words) AS rank, count(*) OVER () AS total
  FROM scholarships, websearch_to_tsquery('english', :words) AS words
  WHERE search @@ words ORDER BY rank DESC, id LIMIT :limit
) AS top JOIN scholarships s USING (id) ORDER BY top.rank DESC, s.id;
