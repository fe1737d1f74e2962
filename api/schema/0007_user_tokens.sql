-- A token holds the generation of its user, and tokens of an older generation are refused. A new password and a
-- disabling count it up. Tokens from before this migration hold none and count as 0.
ALTER TABLE users
  ADD COLUMN token_generation integer NOT NULL DEFAULT 0,
  ADD COLUMN last_login timestamptz;

-- The only change that a serving process makes. It runs with the rights of the migrating role, so the serving role
-- needs none to change the table. It does nothing on a standby, and nothing if the password has changed meanwhile.
CREATE FUNCTION note_login(user_id bigint, old_hash text, new_hash text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF current_setting('transaction_read_only')::boolean THEN RETURN false; END IF;
  -- A login does not wait for another one of the same user, or for whoever is changing the user.
  UPDATE users SET last_login = now(), password_hash = coalesce(new_hash, password_hash)
    WHERE id = (SELECT id FROM users WHERE id = user_id AND password_hash = old_hash FOR UPDATE SKIP LOCKED);
  RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION note_login FROM PUBLIC;
