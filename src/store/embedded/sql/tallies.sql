-- What is settled of a caller's month, by day and by model.
SELECT kind, name, requests, usd, audio FROM tallies WHERE subject = ?1 AND month = ?2
