-- The records of a span of time, oldest first; ?3: of one caller, or of all where it is null.
SELECT id, at, subject, request_id, plan, model, provider, audio, estimate_usd, estimate_audio, usd, charged_audio,
       input_tokens, output_tokens, usage_audio, ending, pieces, attempts
FROM ledger WHERE at >= ?1 AND at < ?2 AND (?3 IS NULL OR subject = ?3) ORDER BY at, id
