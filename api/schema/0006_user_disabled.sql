-- A user who is disabled cannot log in, and tokens issued before are refused within seconds.
ALTER TABLE users ADD COLUMN disabled boolean NOT NULL DEFAULT false;
