-- ?1 subject, ?2 token or '', ?3 second, ?4 when it may be forgotten. What was revoked stays revoked.
INSERT INTO revocations (subject, token, up_to, until) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (subject, token) DO UPDATE SET up_to = max(up_to, excluded.up_to), until = max(until, excluded.until);
