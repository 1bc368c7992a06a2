-- What is settled of a month, by day and by model.
SELECT kind, name, requests, usd, audio FROM totals WHERE month = ?1 AND kind IN ('day', 'model')
