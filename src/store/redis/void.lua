-- Takes back all that admit.lua took for one permit, as if it had never been given, and closes its name: a question by this
-- name that comes later takes nothing.

local leases, open = KEYS[1], KEYS[2]
local earlier_month, later_month = KEYS[3], KEYS[4] -- the same month, but around the turn of one
local closed, rates = KEYS[5], KEYS[6]
local session = KEYS[7] -- what is charged in it; not given where there is none

local id = ARGV[1]
local usd, audio = ARGV[2], ARGV[3] -- the estimate, to be taken away: nothing, or negative
local requests_weight, audio_weight = ARGV[4], ARGV[5] -- µs, likewise
local later_from = tonumber(ARGV[6]) -- ms
local keep_mark = tonumber(ARGV[7]) -- ms

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local now_ms = math.floor(now / 1000)

local given = redis.call('HGET', open, id)
-- Not a write that grows anything, and so one that Redis lets happen when its memory is full; after it the rest may too.
redis.call('HDEL', open, id)
redis.call('ZREM', leases, id)
redis.call('ZADD', closed, string.format('%.0f', now_ms), id)
redis.call('ZREMRANGEBYSCORE', closed, '-inf', string.format('%.0f', now_ms - keep_mark))
redis.call('PEXPIRE', closed, string.format('%.0f', keep_mark))
if not given then
  return now
end

local month = tonumber(string.match(given, '^%d+')) >= later_from and later_month or earlier_month
redis.call('HINCRBY', month, 'requests', -1)
redis.call('HINCRBY', month, 'usd', usd)
redis.call('HINCRBY', month, 'audio', audio)
if session and redis.call('EXISTS', session) == 1 then
  redis.call('HINCRBY', session, 'usd', usd)
  redis.call('HINCRBY', session, 'audio', audio)
end
-- Buckets that are full again are not remembered. What is no number was broken before, and keeps nobody from the rest.
if redis.call('EXISTS', rates) == 1 then
  redis.pcall('HINCRBY', rates, 'requests', requests_weight)
  redis.pcall('HINCRBY', rates, 'audio', audio_weight)
end
return now
