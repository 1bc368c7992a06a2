-- ?1 now, ms, ?2 how many at most: the revocations that hold, those that end last first.
SELECT subject, token, up_to, until FROM revocations WHERE until > ?1 ORDER BY until DESC LIMIT ?2
