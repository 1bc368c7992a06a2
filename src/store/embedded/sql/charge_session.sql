-- ?1 subject, ?2 session, ?3 money, ?4 audio, either may be negative, ?5 when it may be forgotten. NULL there: only what is
-- known already is corrected.
INSERT INTO session_charges (subject, session, usd, audio, until)
SELECT ?1, ?2, ?3, ?4, ifnull(?5, 0)
WHERE ?5 IS NOT NULL OR EXISTS (SELECT 1 FROM session_charges WHERE subject = ?1 AND session = ?2)
ON CONFLICT (subject, session) DO UPDATE
SET usd = usd + excluded.usd, audio = audio + excluded.audio, until = max(until, excluded.until);
