-- The tables take only what an answer can say: dates with four digits for the year, lists in one dimension without
-- NULL. NOT VALID: for what comes from now on. What is there already is looked at by the next migration, which needs
-- no lock that a search would wait for.
ALTER TABLE scholarships
  ADD CONSTRAINT scholarships_deadline_years CHECK (deadline BETWEEN '0001-01-01' AND '9999-12-31') NOT VALID,
  -- array_position refuses more than one dimension, hence CASE.
  ADD CONSTRAINT scholarships_majors_flat CHECK (
    CASE WHEN array_ndims(majors) > 1 THEN false ELSE array_position(majors, NULL) IS NULL END) NOT VALID,
  ADD CONSTRAINT scholarships_residencies_flat CHECK (
    CASE WHEN array_ndims(residencies) > 1 THEN false ELSE array_position(residencies, NULL) IS NULL END) NOT VALID,
  ADD CONSTRAINT scholarships_education_levels_flat CHECK (
    CASE WHEN array_ndims(education_levels) > 1 THEN false ELSE array_position(education_levels, NULL) IS NULL END)
    NOT VALID;
