-- For tests, in the place of clock.lua: a time that a test sets, in the key `clock` beside the script's keys.

local clock = KEYS[1]:match('^.*}') .. ':clock'

local function server_time()
  local time = redis.call('HMGET', clock, 'seconds', 'micros')
  return time[1] * 1000000 + time[2]
end

-- Redis expires keys by its own clock, so let them live longer than the test.
local function expire(key, ms)
  redis.call('PEXPIRE', key, string.format('%.0f', ms + 86400000))
end

-- Redis numbers records by its own clock, so number them here.
local function record_id()
  return string.format('%.0f-*', math.floor(server_time() / 1000))
end

