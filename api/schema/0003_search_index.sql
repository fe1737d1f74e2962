-- New entries go into the index at once. Every search would else read, one by one, all that came since the last vacuum.
ALTER INDEX scholarships_search SET (fastupdate = off);
SELECT gin_clean_pending_list('scholarships_search');
