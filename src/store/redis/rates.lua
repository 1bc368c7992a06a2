-- The rates of a caller by GCRA: a bucket will be full again at the time at which everything taken from it has come back.
-- Times are in microseconds. The scripts that take from the rates begin with this.

-- Returns the times until both buckets are full, and by how much the clock was set back since they were written, which
-- must not lock a caller out for longer.
local function read_rates(rates, now)
  local full_at = redis.call('HMGET', rates, 'requests', 'audio', 'seen')
  local set_back = math.max((tonumber(full_at[3]) or 0) - now, 0)
  local requests_ahead = math.max((tonumber(full_at[1]) or 0) - now - set_back, 0)
  local audio_ahead = math.max((tonumber(full_at[2]) or 0) - now - set_back, 0)
  return requests_ahead, audio_ahead, set_back
end

local function write_rates(rates, now, requests_ahead, audio_ahead)
  local full_at = function(ahead) return string.format('%.0f', now + ahead) end
  redis.call('HSET', rates, 'requests', full_at(requests_ahead), 'audio', full_at(audio_ahead), 'seen', full_at(0))
  -- When both buckets are full there is nothing to remember.
  expire(rates, math.ceil(math.max(requests_ahead, audio_ahead) / 1000))
end

