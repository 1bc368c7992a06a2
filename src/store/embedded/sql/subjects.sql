-- Everyone who was charged in a month.
SELECT subject FROM months WHERE month = ?1 ORDER BY subject
