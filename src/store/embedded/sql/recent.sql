-- The last ?1 settled records, newest first.
SELECT id, at, subject, request_id, plan, model, provider, audio, estimate_usd, estimate_audio, usd, charged_audio,
       input_tokens, output_tokens, usage_audio, ending, pieces, attempts
FROM ledger WHERE ending <> 'open' ORDER BY at DESC, id DESC LIMIT ?1
