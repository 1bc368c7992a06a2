-- The rates of a caller by GCRA: a bucket is full again as far ahead as what was taken needs to come back. Time is in
-- microseconds. The scripts that take from the rates begin with this.

-- How far ahead both buckets are full, and how far the clock was set back since that was written, which must not lock anybody
-- out for longer.
local function read_rates(rates, now)
  local arrivals = redis.call('HMGET', rates, 'requests', 'audio', 'seen')
  local set_back = math.max((tonumber(arrivals[3]) or 0) - now, 0)
  local requests_ahead = math.max((tonumber(arrivals[1]) or 0) - now - set_back, 0)
  local audio_ahead = math.max((tonumber(arrivals[2]) or 0) - now - set_back, 0)
  return requests_ahead, audio_ahead, set_back
end

local function write_rates(rates, now, requests_ahead, audio_ahead)
  local full_at = function(ahead) return string.format('%.0f', now + ahead) end
  redis.call('HSET', rates, 'requests', full_at(requests_ahead), 'audio', full_at(audio_ahead), 'seen', full_at(0))
  -- When both buckets are full there is nothing to remember.
  local remember = math.ceil(math.max(requests_ahead, audio_ahead) / 1000)
  redis.call('PEXPIRE', rates, string.format('%.0f', remember))
end

