-- Permits that were never settled though whoever held them must be dead.
SELECT id, at, subject, request_id, plan, model, provider, audio, estimate_usd, estimate_audio, usd, charged_audio,
       input_tokens, output_tokens, usage_audio, ending, pieces, attempts
FROM ledger WHERE ending = 'open' AND at < ?1 LIMIT 100
