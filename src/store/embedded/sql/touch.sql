-- Whether the file can be written to is known only by writing.
INSERT INTO touched (one, at) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET at = excluded.at
