-- ?1 now, ms. Tokens that have expired need no revocation.
DELETE FROM revocations WHERE until <= ?1;
