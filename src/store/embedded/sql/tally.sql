-- Counts a settled request for its day (?3 = 'day') or its model (?3 = 'model').
INSERT INTO tallies (subject, month, kind, name, requests, usd, audio) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)
ON CONFLICT (subject, month, kind, name) DO UPDATE
SET requests = requests + 1, usd = usd + excluded.usd, audio = audio + excluded.audio
