-- Writes a record, open or settled, or settles the one that is open: by then another provider may have done the work.
INSERT INTO ledger (id, at, subject, request_id, plan, model, provider, audio, estimate_usd, estimate_audio, usd,
                    charged_audio, input_tokens, output_tokens, usage_audio, ending, pieces, attempts)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
ON CONFLICT (id) DO UPDATE
SET provider = excluded.provider, audio = excluded.audio, estimate_usd = excluded.estimate_usd,
    estimate_audio = excluded.estimate_audio, usd = excluded.usd, charged_audio = excluded.charged_audio,
    input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens, usage_audio = excluded.usage_audio,
    ending = excluded.ending, pieces = excluded.pieces, attempts = excluded.attempts
WHERE ending = 'open'
