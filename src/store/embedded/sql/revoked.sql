-- ?1 subject, ?2 token or '', ?3 now, ms. What holds of the token itself and of all of its subject's.
SELECT token, up_to FROM revocations WHERE subject = ?1 AND token IN ('', ?2) AND until > ?3;
