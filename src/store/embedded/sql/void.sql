-- Forgets a permit that is open: its request was refused in the end.
DELETE FROM ledger WHERE id = ?1 AND ending = 'open'
