-- Counts a settled request among those of all callers, for its day, its model or its caller (?2).
INSERT INTO totals (month, kind, name, requests, usd, audio) VALUES (?1, ?2, ?3, 1, ?4, ?5)
ON CONFLICT (month, kind, name) DO UPDATE
SET requests = requests + 1, usd = usd + excluded.usd, audio = audio + excluded.audio
