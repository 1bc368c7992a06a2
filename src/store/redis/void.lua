-- Takes back everything that admit.lua took for one permit, as if it had never been given, and closes its id: a request with
-- this id that comes later takes nothing.

local leases, open = KEYS[1], KEYS[2]
local earlier_month, later_month = KEYS[3], KEYS[4] -- the same month, except around the turn of one
local closed, rates = KEYS[5], KEYS[6]
local session = KEYS[7] -- the charges of the session; absent if there is none

local args = cjson.decode(ARGV[1]) -- see VoidArguments in settle.rs

local now = server_time()
local now_ms = math.floor(now / 1000)

local given = redis.call('HGET', open, args.id)
-- These writes free memory, so Redis lets them happen when its memory is full; after them the rest may happen, too.
redis.call('HDEL', open, args.id)
redis.call('ZREM', leases, args.id)
redis.call('ZADD', closed, string.format('%.0f', now_ms), args.id)
redis.call('ZREMRANGEBYSCORE', closed, '-inf', string.format('%.0f', now_ms - args.keep_mark))
redis.call('PEXPIRE', closed, string.format('%.0f', args.keep_mark))
if not given then
  return now
end

local month = tonumber(string.match(given, '^%d+')) >= args.later_month_from and later_month or earlier_month
redis.call('HINCRBY', month, 'requests', -1)
redis.call('HINCRBY', month, 'usd', args.usd)
redis.call('HINCRBY', month, 'audio', args.audio)
if session and redis.call('EXISTS', session) == 1 then
  redis.call('HINCRBY', session, 'usd', args.usd)
  redis.call('HINCRBY', session, 'audio', args.audio)
end
-- Buckets that are full again are not remembered. A value that is no number was broken before, and must not keep the rest
-- from happening.
if redis.call('EXISTS', rates) == 1 then
  redis.pcall('HINCRBY', rates, 'requests', args.requests_weight)
  redis.pcall('HINCRBY', rates, 'audio', args.audio_weight)
end
return now
