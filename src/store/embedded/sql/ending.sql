-- How a permit stands, and when it was given; no row: it is not known.
SELECT ending, at FROM ledger WHERE id = ?1
