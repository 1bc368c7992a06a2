-- The newest record of a caller's request.
SELECT id, at, subject, request_id, plan, model, provider, audio, estimate_usd, estimate_audio, usd, charged_audio,
       input_tokens, output_tokens, usage_audio, ending, pieces, attempts
FROM ledger WHERE subject = ?1 AND request_id = ?2 ORDER BY at DESC, id DESC LIMIT 1
