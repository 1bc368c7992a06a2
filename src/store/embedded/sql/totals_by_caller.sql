-- The callers that spent most in a month.
SELECT name, requests, usd, audio FROM totals WHERE month = ?1 AND kind = 'caller' ORDER BY usd DESC, name DESC LIMIT ?2
