-- For pgbench and for app.py. The same as in api/db/repository.cpp; make bench-api compares the answers.
\set id random(1, 10000)
SELECT s.id, s.name, s.provider, s.amount, s.deadline, (s.min_gpa * 100)::int4, s.majors,
  s.description, s.residencies, s.education_levels FROM scholarships s WHERE s.id = :id;
