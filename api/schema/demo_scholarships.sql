-- $1 demo scholarships, unless there are any. Row n is always the same, but for its deadline, which moves with the day.
INSERT INTO scholarships (name, provider, description, amount, deadline, min_gpa, majors, residencies, education_levels)
SELECT
  format('%s %s %s #%s', words.honour, major.name, words.kind, n),
  words.provider,
  format('Supports %s students in %s who %s. %s The award of $%s is paid %s.',
         words.who, lower(major.name), words.merit, words.extra, amount.value, words.paid),
  amount.value,
  current_date + (n * 37 % 400)::int - 20,
  CASE WHEN n % 5 = 0 THEN NULL ELSE 2.0 + (n * 7 % 40) * 0.05 END,
  CASE n % 3 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY[major.name] ELSE ARRAY[major.name, major.related] END,
  CASE WHEN n % 4 = 0 THEN ARRAY[words.state] ELSE '{}' END,
  CASE WHEN n % 6 = 0 THEN ARRAY['undergraduate'] WHEN n % 6 = 3 THEN ARRAY['graduate', 'doctoral'] ELSE '{}' END
FROM generate_series(1, $1::int) AS n
CROSS JOIN LATERAL (
  -- Neighbours in this list are related.
  SELECT list.majors[1 + n % 50], list.majors[1 + (n + 1) % 50]
  FROM (SELECT ARRAY[
    'Civil Engineering', 'Architecture', 'Urban Planning', 'Geography', 'Environmental Science', 'Agriculture',
    'Forestry', 'Veterinary Science', 'Biology', 'Biochemistry', 'Chemistry', 'Pharmacy', 'Medicine', 'Nursing',
    'Public Health', 'Nutrition', 'Kinesiology', 'Physical Therapy', 'Psychology', 'Social Work', 'Sociology',
    'Anthropology', 'Archaeology', 'History', 'Philosophy', 'Theology', 'Linguistics', 'English Literature',
    'Journalism', 'Film Studies', 'Theatre', 'Music', 'Fine Arts', 'Graphic Design', 'Marketing',
    'Business Administration', 'Accounting', 'Finance', 'Economics', 'Political Science', 'Law', 'Criminal Justice',
    'Education', 'Mathematics', 'Statistics', 'Computer Science', 'Electrical Engineering', 'Mechanical Engineering',
    'Physics', 'Astronomy']) AS list (majors)
) AS major (name, related)
CROSS JOIN LATERAL (
  SELECT
    (ARRAY['Ada Lovelace', 'George Carver', 'Marie Curie', 'Katherine Johnson', 'Frederick Douglass', 'Rosa Parks',
           'Sally Ride', 'Alan Turing', 'Chien-Shiung Wu', 'Cesar Chavez', 'Maria Mitchell'])[1 + n % 11],
    (ARRAY['Scholarship', 'Fellowship', 'Award', 'Grant', 'Bursary', 'Prize', 'Memorial Scholarship'])[1 + n / 3 % 7],
    (ARRAY['Riverside Community Foundation', 'National Science Alliance', 'Harbor Credit Union',
           'Society of Future Builders', 'Lakeview Rotary Club', 'Bright Path Fund', 'Alumni Association',
           'Women in Technology Network', 'Teachers Union Trust', 'Green Valley Cooperative', 'Veterans Family Fund',
           'Northern Lights Foundation', 'City Hospital Guild'])[1 + n / 7 % 13],
    (ARRAY['first-generation', 'rural', 'transfer', 'returning', 'outstanding', 'low-income', 'international',
           'part-time', 'honors'])[1 + n / 2 % 9],
    (ARRAY['lead in their community', 'show academic excellence', 'have overcome hardship', 'work while they study',
           'tutor younger pupils', 'plan a career in public service', 'do original research',
           'start an enterprise'])[1 + n / 5 % 8],
    (ARRAY['Preference is given to applicants with volunteer experience.', 'An essay of 500 words is required.',
           'Two letters of recommendation are required.', 'Recipients join a mentoring programme.',
           'Previous recipients may apply again.', 'Financial need is considered.',
           'A short video introduction is welcome.'])[1 + n / 11 % 7],
    (ARRAY['once', 'in two semesters', 'every year for four years', 'directly to the school'])[1 + n / 13 % 4],
    (ARRAY['California', 'Texas', 'Ohio', 'New York', 'Florida', 'Washington', 'Illinois', 'Georgia', 'Oregon',
           'Maine'])[1 + n / 4 % 10]
) AS words (honour, kind, provider, who, merit, extra, paid, state)
CROSS JOIN LATERAL (SELECT 500 + (n * 131 % 200) * 250) AS amount (value)
WHERE NOT EXISTS (SELECT FROM scholarships);
