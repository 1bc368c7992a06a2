-- Returns the server's time, if everything that the other scripts do can be done: each command once, on keys of no caller.

local hash, sorted, records, text = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

-- First a write that Redis refuses when its memory is full.
redis.call('HINCRBY', hash, 'number', 1)
redis.call('HSET', hash, 'text', '1')
redis.call('HGET', hash, 'text')
redis.call('HMGET', hash, 'text', 'number')
redis.call('HEXISTS', hash, 'text')
redis.call('HDEL', hash, 'text')
redis.call('ZADD', sorted, '1', 'one')
redis.call('ZINCRBY', sorted, '1', 'one')
redis.call('ZCOUNT', sorted, '-inf', '+inf')
redis.call('ZRANGEBYSCORE', sorted, '-inf', '+inf', 'LIMIT', 0, 1)
redis.call('ZSCORE', sorted, 'one')
redis.call('ZREMRANGEBYSCORE', sorted, '-inf', '0')
redis.call('ZREM', sorted, 'one')
redis.call('XADD', records, 'MAXLEN', '1', '*', 'id', '1')
redis.call('XRANGE', records, '-', '+', 'COUNT', 1)
redis.call('SET', text, '1', 'PX', '1000')
redis.call('PEXPIRE', hash, '1000')
redis.call('PEXPIRE', records, '1000')

return server_time()
