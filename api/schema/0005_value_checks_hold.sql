-- Rows that came before the checks. None is changed: only their owner knows what they were to say. The migration
-- refuses, and names the first of them.
DO $$
DECLARE
  bad text;
BEGIN
  SELECT string_agg(id::text, ', ' ORDER BY id) INTO bad FROM (
    SELECT id FROM scholarships
    WHERE deadline NOT BETWEEN '0001-01-01' AND '9999-12-31'
      OR CASE WHEN array_ndims(majors) > 1 THEN true ELSE array_position(majors, NULL) IS NOT NULL END
      OR CASE WHEN array_ndims(residencies) > 1 THEN true ELSE array_position(residencies, NULL) IS NOT NULL END
      OR CASE WHEN array_ndims(education_levels) > 1 THEN true ELSE array_position(education_levels, NULL) IS NOT NULL END
    ORDER BY id LIMIT 20) AS first;
  IF bad IS NOT NULL THEN
    RAISE EXCEPTION 'correct these scholarships, then migrate again: a deadline outside the years 1 to 9999, or a list'
      ' with NULL or more than one dimension: id %', bad;
  END IF;
END $$;

ALTER TABLE scholarships
  VALIDATE CONSTRAINT scholarships_deadline_years,
  VALIDATE CONSTRAINT scholarships_majors_flat,
  VALIDATE CONSTRAINT scholarships_residencies_flat,
  VALIDATE CONSTRAINT scholarships_education_levels_flat;
