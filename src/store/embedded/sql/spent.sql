-- What a caller is charged in a month.
SELECT requests, usd, audio FROM months WHERE subject = ?1 AND month = ?2
