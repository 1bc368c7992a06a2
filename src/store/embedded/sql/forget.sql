-- Records that have been kept long enough, some at a time.
DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE at < ?1 AND ending <> 'open' LIMIT 1000)
