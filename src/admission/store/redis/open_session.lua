-- Lists a session, unless whoever asked has given it up: nobody has its token then.

local sessions = KEYS[1]
local not_after = tonumber(ARGV[1]) -- µs; 0: whenever it comes
local expires_at, record = ARGV[2], ARGV[3] -- ms
local keep = ARGV[4] -- ms

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if not_after > 0 and now > not_after then
  return redis.error_reply('LATE the request was given up before the session was listed')
end
redis.call('ZREMRANGEBYSCORE', sessions, '-inf', string.format('%.0f', math.floor(now / 1000)))
redis.call('ZADD', sessions, expires_at, record)
redis.call('PEXPIRE', sessions, keep)
