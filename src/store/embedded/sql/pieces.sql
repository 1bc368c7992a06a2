-- Version 5. In how many pieces a recording went to providers, NULL if as it was; and which revision of its charge an open
-- permit has, 0 for the charge of its admission.
ALTER TABLE ledger ADD COLUMN pieces INTEGER;
ALTER TABLE ledger ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
