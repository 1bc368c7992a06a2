-- Charges a month, or corrects what it is charged: the numbers may be negative.
INSERT INTO months (subject, month, requests, usd, audio) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (subject, month) DO UPDATE
SET requests = requests + excluded.requests, usd = usd + excluded.usd, audio = audio + excluded.audio
