-- Has one token, or all that were issued up to a second, hold no longer. What was revoked stays revoked, and for as long as
-- was said before.

local key = KEYS[1]
local second, until_ms = tonumber(ARGV[1]), tonumber(ARGV[2]) -- s, 0 for one token; ms

local time = redis.call('TIME')
local left = math.max(until_ms - time[1] * 1000 - math.floor(time[2] / 1000), redis.call('PTTL', key))
second = math.max(second, tonumber(redis.call('GET', key)) or 0)
if left > 0 then
  redis.call('SET', key, string.format('%.0f', second), 'PX', string.format('%.0f', left))
end
