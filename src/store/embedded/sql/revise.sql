-- Gives an open permit another charge: ?1 id, ?2 revision, ?3 money, ?4 audio.
UPDATE ledger
SET revision = ?2, audio = ?4, estimate_usd = ?3, estimate_audio = ?4, usd = ?3, charged_audio = ?4
WHERE id = ?1 AND ending = 'open'
