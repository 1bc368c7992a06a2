-- By what it is seen that revocations were made: they are only ever added, made stricter or kept for longer, or forgotten.
SELECT count(*), ifnull(sum(up_to), 0), ifnull(sum(until % 1000000007), 0) FROM revocations
