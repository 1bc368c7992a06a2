-- How a permit stands, when it was given, what it is charged, and by which revision; no row: it is not known.
SELECT ending, at, usd, charged_audio, revision FROM ledger WHERE id = ?1
